import { byId, create } from './element.ts';
import { ACTIVATIONS, type Checked, checkSettings, type Field, type Fields, type Settings } from './settings.ts';

const FIELDS: readonly Field[] = ['layers', 'activation', 'rate', 'momentum', 'batch', 'epochs', 'seed'];

/** The settings form: reads it, marks invalid fields, and locks it during a run. */
export class Controls {
  /** Called when the typed values change. */
  onChange: (checked: Checked) => void = () => {};
  readonly form: HTMLFormElement = byId('settings', HTMLFormElement);
  readonly #fieldset = byId('settings-fields', HTMLFieldSetElement);
  readonly #note = byId('settings-note', HTMLParagraphElement);

  constructor(fields: Fields) {
    byId('activation', HTMLSelectElement).append(...ACTIVATIONS.map((value) => create('option', { value }, value)));
    for (const field of FIELDS) this.#input(field).value = fields[field];
    this.form.addEventListener('input', () => this.onChange(this.#check()));
  }

  /** Returns the settings, or null after moving the focus to the first invalid field. */
  read(): Settings | null {
    const checked = this.#check();
    if (checked.ok) return checked.settings;
    const first = FIELDS.find((field) => checked.problems[field] !== undefined);
    if (first !== undefined) this.#input(first).focus();
    return null;
  }

  lock(locked: boolean): void {
    this.#fieldset.disabled = locked;
    this.#note.textContent = locked ? 'Reset to change the settings.' : '';
  }

  #check(): Checked {
    const typed = Object.fromEntries(FIELDS.map((field) => [field, this.#input(field).value])) as Record<Field, string>;
    const checked = checkSettings(typed);
    for (const field of FIELDS) {
      const problem = checked.ok ? undefined : checked.problems[field];
      this.#input(field).setAttribute('aria-invalid', String(problem !== undefined));
      byId(`${field}-error`, HTMLParagraphElement).textContent = problem ?? '';
    }
    return checked;
  }

  #input(field: Field): HTMLInputElement | HTMLSelectElement {
    return field === 'activation' ? byId(field, HTMLSelectElement) : byId(field, HTMLInputElement);
  }
}
