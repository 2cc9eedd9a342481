/** Whether only this machine can reach the address (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3, RFC 6761 section 6.3). */
export function isLoopbackName(address: string): boolean {
  return address === 'localhost' || address === '::1' || address === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(address);
}
