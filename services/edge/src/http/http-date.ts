let second = 0;
let text = '';

/** The present instant as the `Date` header has it (RFC 9110 §5.6.7), written once a second. */
export function httpDate(): string {
  const present = Math.floor(Date.now() / 1000);
  if (present !== second) {
    second = present;
    text = new Date(present * 1000).toUTCString();
  }
  return text;
}
