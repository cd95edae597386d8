/** How long to wait before the next try, in milliseconds: doubled for each failure, with a chance between half and all of it. */
export function backoffMs(failures: number, chance: number): number {
  const most = Math.min(5000, 150 * 2 ** Math.min(failures, 10));
  return failures === 0 ? 0 : most * (0.5 + chance / 2);
}
