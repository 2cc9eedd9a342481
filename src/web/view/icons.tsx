// Drawn on a grid of 20, in the colour of the text beside them. Words say what a button does; these are for the eye alone.

const PATHS = {
  pause: 'M7 4.500v11M13 4.500v11',
  play: 'M6.500 4.200v11.600l9-5.800z',
  retry: 'M15.800 8.500a6 6 0 1 0-.3 4M16 4.500v4h-4',
  discard: 'M4.500 6h11M8 6V4h4v2M6 6l.700 10h6.600L14 6M8.500 9v4.500M11.500 9v4.500',
  close: 'M5.500 5.500l9 9M14.500 5.500l-9 9',
  check: 'M4.500 10.500l3.700 3.700 7.300-8',
  alert: 'M10 3.2a6.8 6.8 0 1 0 .01 0M10 6.6v4.2M10 13.4v.1',
  clock: 'M10 3.2a6.8 6.8 0 1 0 .01 0M10 6.4v3.900l2.600 1.700',
  file: 'M5.500 3.500h6l3.500 3.500v9.500h-9.500zM11.500 3.500v3.500h3.500',
  upload: 'M10 13.500V4M6 7.800L10 3.800l4 4M3.500 13v3.500h13V13',
  more: 'M6 8l4 4 4-4',
  device: 'M3.500 4.500h13v8.500h-13zM7.500 16.500h5M10 13v3.500',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 64 44" aria-hidden="true">
      <path d="M4 35c4.700-3.700 9.300-3.700 14 0s9.300 3.700 14 0 9.300-3.700 14 0 9.300 3.700 14 0" />
      <path d="M15 25V13h12v12M33 25V5h13v20" />
    </svg>
  );
}
