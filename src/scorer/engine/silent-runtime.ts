/**
 * Switches off the telemetry of ONNX Runtime, which its builds for Linux have since 1.30 (to mobile.events.data.microsoft.com) where
 * this variable is not set, and which keeps a number of the machine in `~/.cache/Microsoft` and files in the working folder. Works only in
 * the main thread, whose environment is that of the process, and before the process makes its first session.
 */
export function silenceRuntime(): void {
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
}
