interface ImportMetaEnv {
  /** Where the gateway is, when it isn't where the page is: `https://gateway.example.com`. Read when the page is built. */
  readonly VITE_GATEWAY_URL?: string;
}
