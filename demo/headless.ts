import type { MlpError } from 'webgpu-mlp';
import type { SessionEvent } from './session.ts';

type Report = (event: object) => unknown;

/** Reports an event of the session to the script that drives this page, through a function that the script defines. */
export function reportToDriver(event: SessionEvent): void {
  const report = (globalThis as { reportTraining?: Report }).reportTraining;
  if (report === undefined || event.type === 'state' || event.type === 'loading') return;
  if (event.type !== 'error') {
    report(event);
    return;
  }
  const { error } = event;
  const { name = 'Error', message = String(error), code = 'unknown' } = error as Partial<MlpError>;
  report({ type: 'error', name, code, message });
}
