/** Waits for a condition. */
export async function until(condition: () => boolean | Promise<boolean>, patience = 200_000): Promise<void> {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Not within ${patience} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
