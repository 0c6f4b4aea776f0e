import { WebGpuUnavailableError } from 'webgpu-mlp';
import { Controls } from './controls.ts';
import { Curves } from './curves.ts';
import { type Digits, PIXELS } from './data.ts';
import { DrawPad } from './draw-pad.ts';
import { byId } from './element.ts';
import * as format from './format.ts';
import type { Gallery } from './gallery.ts';
import { TrainingHistory } from './history.ts';
import { Notice } from './notice.ts';
import { paced } from './pace.ts';
import { Reading } from './reading.ts';
import { Readout } from './readout.ts';
import { Session, type SessionEvent, type State } from './session.ts';
import { checkSettings, DEFAULT_FIELDS, readAddress, type Settings } from './settings.ts';
import type { StepPlan } from './step-plan.ts';

const options = readAddress(location.search);
const session = new Session(options.limit);
const controls = new Controls(options.fields);
const curves = new Curves(byId('loss-chart', HTMLElement), byId('accuracy-chart', HTMLElement));
const readout = new Readout();
const notice = new Notice();
const pad = new DrawPad();
const reading = new Reading((digit) => session.predict(digit));
const startButton = byId('start', HTMLButtonElement);
const stepButton = byId('step', HTMLButtonElement);
const resetButton = byId('reset', HTMLButtonElement);
const pickButton = byId('pad-pick', HTMLButtonElement);
const measureButton = byId('plan-measure', HTMLButtonElement);
const status = byId('status', HTMLParagraphElement);

let history = new TrainingHistory();
let arrived = 0;
let gallery: Gallery | undefined;
let stepPlan: StepPlan | undefined;
let progress: Extract<SessionEvent, { type: 'progress' }> | undefined;

const draw = paced(() => {
  curves.set(history.points);
  if (progress !== undefined) readout.show(progress, history.points.at(-1)?.meanLoss ?? progress.loss);
  void reading.refresh();
});

const drawLoading = paced(() => {
  if (session.state !== 'loading') return;
  status.textContent = arrived < 1 ? `Loading the digits, ${format.roughPercent(arrived)}` : 'Compiling the kernels';
});

const START_WORDS: Readonly<Record<Exclude<State, 'measuring'>, string>> = {
  loading: 'Start training',
  ready: 'Start training',
  running: 'Pause',
  paused: 'Resume',
  done: 'Train again',
  failed: 'Start training',
};

function showState(state: State): void {
  document.body.dataset.state = state;
  if (state === 'measuring') {
    for (const button of [startButton, stepButton, resetButton]) button.disabled = true;
    return;
  }
  startButton.textContent = START_WORDS[state];
  startButton.disabled = state === 'loading' || state === 'failed';
  stepButton.disabled = state !== 'ready' && state !== 'paused';
  resetButton.disabled = state === 'loading' || state === 'ready' || state === 'failed';
  pickButton.disabled = session.mnist === undefined;
  measureButton.disabled = state === 'loading' || state === 'failed';
  controls.lock(state === 'running' || state === 'paused');
  status.textContent = {
    loading: 'Preparing',
    ready: 'Ready',
    running: 'Training',
    paused: 'Paused',
    done: status.textContent,
    failed: 'Stopped',
  }[state];
}

function show(event: SessionEvent): void {
  switch (event.type) {
    case 'state':
      showState(event.state);
      break;
    case 'loading':
      arrived = event.fraction;
      drawLoading();
      break;
    case 'adapter':
      showAdapter(event);
      break;
    case 'model':
      showModel(event);
      break;
    case 'progress':
      progress = event;
      history.add({ step: event.stepsDone, loss: event.loss, accuracy: event.accuracy });
      draw();
      break;
    case 'epoch':
      showEpoch(event);
      break;
    case 'done':
      status.textContent = `Trained in ${format.duration(event.seconds)}`;
      status.title = `SHA-256 of the weights: ${event.weightsHash}`;
      break;
    case 'error':
      void showError(event.error);
  }
}

async function showError(error: unknown): Promise<void> {
  if (!(error instanceof WebGpuUnavailableError)) return notice.show(error);
  // Loaded on demand, because few pages need it.
  const { showUnavailable } = await import('./unavailable.ts');
  showUnavailable(error);
}

function showAdapter({
  vendor,
  architecture,
  description,
  software,
}: Extract<SessionEvent, { type: 'adapter' }>): void {
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'WebGPU adapter';
  byId('adapter-name', HTMLParagraphElement).textContent = name;
  byId('adapter-software', HTMLParagraphElement).hidden = !software;
}

/** Shows a new model, and removes the results of the previous one. */
function showModel({ sizes, parameterCount }: Extract<SessionEvent, { type: 'model' }>): void {
  byId('model-shape', HTMLParagraphElement).textContent = sizes.join(' → ');
  byId('model-size', HTMLParagraphElement).textContent = `${format.integer(parameterCount)} parameters`;
  history = new TrainingHistory();
  progress = undefined;
  curves.set(history.points);
  gallery?.clear();
  stepPlan?.clear();
  readout.clear(session.settings?.epochs ?? 1);
  void reading.refresh();
}

function showEpoch(event: Extract<SessionEvent, { type: 'epoch' }>): void {
  history.addTest(event.validation.loss, event.validation.accuracy);
  readout.showEpoch(event);
  draw();
}

/** Predicts the test digits. Training waits for the predictions, but not for the page to show them. */
async function readTestDigits(): Promise<void> {
  const test = session.mnist?.test;
  const probabilities = test === undefined ? null : await session.predict(test.images);
  if (test !== undefined && probabilities !== null) void showGallery(test, probabilities);
}

async function showGallery(test: Digits, probabilities: Float32Array): Promise<void> {
  const { Gallery } = await import('./gallery.ts');
  gallery ??= new Gallery(placeTestDigit);
  gallery.show(test, probabilities);
}

function placeTestDigit(index: number): void {
  const test = session.mnist?.test;
  if (test === undefined) return;
  pad.place(test.images.slice(index * PIXELS, (index + 1) * PIXELS));
  reading.set(test.images.slice(index * PIXELS, (index + 1) * PIXELS), test.classes[index]);
}

async function measureStep(): Promise<void> {
  const { StepPlan } = await import('./step-plan.ts');
  stepPlan ??= new StepPlan();
  const plan = stepPlan;
  await session.aside((...given) => plan.measure(...given));
}

function withSettings(action: (settings: Settings) => Promise<void>): void {
  const settings = controls.read();
  if (settings !== null) void action(settings);
}

session.listen(show);
if (!options.headless) session.afterEpoch = readTestDigits;

notice.onAgain = () =>
  withSettings(async (settings) => {
    notice.hide();
    await session.open(settings);
    if (session.state === 'ready') await session.start(settings);
  });
controls.form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (session.state === 'running') session.pause();
  else if (session.state === 'paused') session.resume();
  else withSettings((settings) => session.start(settings));
});
stepButton.addEventListener('click', () => void session.step());
resetButton.addEventListener('click', () => withSettings((settings) => session.reset(settings)));
measureButton.addEventListener('click', () => void measureStep());
pickButton.addEventListener('click', () => {
  const count = session.mnist?.test.count ?? 0;
  placeTestDigit(Math.floor(Math.random() * count));
});
pad.onChange = (digit) => reading.set(digit);

async function begin(): Promise<void> {
  if (options.headless) session.listen((await import('./headless.ts')).reportToDriver);
  // Invalid settings in the address are marked in the form, and the defaults are used instead.
  const asked = checkSettings(options.fields);
  const checked = asked.ok ? asked : checkSettings(DEFAULT_FIELDS);
  if (!checked.ok) return;
  await session.open(checked.settings);
  if (options.autostart && session.state === 'ready') withSettings((settings) => session.start(settings));
}

void begin();
