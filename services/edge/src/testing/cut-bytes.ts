/** The bytes in pieces, cut at these places; those beyond the end cut nothing. */
export function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...new Set(cuts.filter((cut) => cut > 0 && cut < bytes.length).toSorted((a, b) => a - b)), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

/** Every way to cut the bytes once, not at all, and at every place. */
export function everyCut(bytes: Buffer): readonly (readonly number[])[] {
  const places = Array.from({ length: Math.max(0, bytes.length - 1) }, (_, index) => index + 1);
  return [[], places, ...places.map((place) => [place])];
}
