import {
  accuracy,
  Dataset,
  DeviceLostError,
  dense,
  Gpu,
  type Metric,
  Mlp,
  sgd,
  softmaxCrossEntropy,
  type Trainer,
} from 'webgpu-mlp';
import { loadMnist, type Mnist, PIXELS, TRAINING_DIGITS } from './data.ts';
import type { Settings } from './settings.ts';
import { Speedometer } from './speedometer.ts';

/**
 * State of a session: loading → ready → running ⇄ paused → done, or failed after an error of the GPU or of training.
 * `measuring` is entered from ready, running, paused or done, and returns to that state.
 */
export type State = 'loading' | 'ready' | 'running' | 'paused' | 'done' | 'measuring' | 'failed';

export interface Scores {
  readonly loss: number;
  readonly accuracy: number;
}

/** Event of a session; `headless.ts` passes it on unchanged. */
export type SessionEvent =
  | { readonly type: 'state'; readonly state: State }
  | { readonly type: 'loading'; readonly fraction: number }
  | {
      readonly type: 'adapter';
      readonly vendor: string;
      readonly architecture: string;
      readonly description: string;
      readonly software: boolean;
    }
  | {
      readonly type: 'model';
      readonly summary: string;
      readonly parameterCount: number;
      readonly sizes: readonly number[];
    }
  | ({
      readonly type: 'progress';
      readonly stepsDone: number;
      /** 0 until it is known. */
      readonly samplesPerSecond: number;
    } & Position &
      Scores)
  | ({
      readonly type: 'epoch';
      readonly epoch: number;
      readonly stepsDone: number;
      readonly validation: Scores;
      readonly seconds: number;
    } & Scores)
  | {
      readonly type: 'done';
      readonly testAccuracy: number;
      readonly testLoss: number;
      readonly seconds: number;
      readonly weightsHash: string;
    }
  | { readonly type: 'error'; readonly error: unknown };

interface Run {
  readonly settings: Settings;
  readonly model: Mlp;
  readonly trainer: Trainer<Metric<'accuracy'>>;
  /** Second trainer for single steps, which works while `trainer` is paused within an epoch. Created on first use. */
  stepper: Promise<Trainer<Metric<'accuracy'>>> | undefined;
  readonly abort: AbortController;
  position: Position;
  fitting: boolean;
}

/** Position in a run: the epoch, the step within it, and the number of additional single steps. */
interface Position {
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  readonly singleSteps: number;
}

/** Number of steps since the weights were initialized. */
const stepsDone = ({ epoch, step, steps, singleSteps }: Position): number => (epoch - 1) * steps + step + singleSteps;

/** Owns the GPU, the data sets on it, and the model that is trained. */
export class Session {
  /** Called after the test of an epoch. Training continues when it resolves; until then the weights do not change. */
  afterEpoch: () => Promise<void> = async () => {};
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  readonly #limit: number;
  readonly #speedometer = new Speedometer();
  #state: State = 'loading';
  #mnist: Mnist | undefined;
  #gpu: Gpu | undefined;
  #train: Dataset | undefined;
  #test: Dataset | undefined;
  #run: Run | undefined;

  /** @param limit number of digits to use from each set */
  constructor(limit: number) {
    this.#limit = limit;
  }

  listen(listener: (event: SessionEvent) => void): void {
    this.#listeners.add(listener);
  }

  get state(): State {
    return this.#state;
  }

  get mnist(): Mnist | undefined {
    return this.#mnist;
  }

  /** Settings of the current model. */
  get settings(): Settings | undefined {
    return this.#run?.settings;
  }

  /** Requests the GPU, loads the digits and uploads them. Called again after the device is lost. */
  async open(settings: Settings): Promise<void> {
    this.#become('loading');
    try {
      this.close();
      const onProgress = (fraction: number): void => this.#say({ type: 'loading', fraction });
      const digits = this.#mnist === undefined ? loadMnist(this.#limit, onProgress) : Promise.resolve(this.#mnist);
      // If there is no GPU, the digits are not awaited, and their error is ignored.
      digits.catch(() => undefined);
      const gpu = await this.#request();
      // The model compiles during the download of the digits.
      await Promise.all([this.#prepare(settings), this.#upload(gpu, digits)]);
      this.#become('ready');
    } catch (error) {
      this.#fail(error);
    }
  }

  close(): void {
    this.#run?.abort.abort();
    this.#run = undefined;
    this.#gpu?.destroy();
    this.#gpu = undefined;
  }

  /** Initializes the weights again from the seed. */
  async reset(settings: Settings): Promise<void> {
    this.#become('loading');
    try {
      await this.#prepare(settings);
      this.#become('ready');
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Trains all epochs. Creates a new model if the settings differ from the model's. */
  async start(settings: Settings): Promise<void> {
    try {
      if (this.#state === 'done' || this.#run === undefined || !sameSettings(this.#run.settings, settings)) {
        this.#become('loading');
        await this.#prepare(settings);
      }
      await this.#fit();
    } catch (error) {
      this.#fail(error);
    }
  }

  pause(): void {
    if (this.#state !== 'running') return;
    this.#run?.trainer.pause();
    this.#become('paused');
  }

  resume(): void {
    if (this.#state !== 'paused' || this.#run === undefined) return;
    if (this.#run.fitting) {
      this.#speedometer.restart();
      this.#run.trainer.resume();
      this.#become('running');
    } else {
      void this.start(this.#run.settings);
    }
  }

  /** Trains one step on randomly chosen digits, before a run or during a pause. */
  async step(): Promise<void> {
    const [run, mnist] = [this.#run, this.#mnist];
    if (run === undefined || mnist === undefined || !['ready', 'paused'].includes(this.#state)) return;
    this.#become('paused');
    try {
      const { inputs, classes } = randomBatch(mnist, run.settings.batch);
      run.stepper ??= makeTrainer(run.model, run.settings);
      const stepper = await run.stepper;
      const read = await run.model.predict(inputs, { output: 'classes' });
      await stepper.step(inputs, classes);
      const loss = await stepper.loss();
      if (this.#run !== run) return;
      const right = classes.reduce((sum, label, i) => sum + Number(read[i] === label), 0);
      run.position = { ...run.position, singleSteps: run.position.singleSteps + 1 };
      this.#sayProgress(run, { loss, accuracy: right / classes.length }, 0);
    } catch (error) {
      if (this.#run === run) this.#fail(error);
    }
  }

  /**
   * Pauses training while `work` uses the GPU. Training then continues with the same bits, if `work` does not change the
   * model. Does nothing if there is no model, or if other work is in progress.
   */
  async aside(work: (gpu: Gpu, mnist: Mnist, settings: Settings) => Promise<void>): Promise<void> {
    const [gpu, mnist, run, before] = [this.#gpu, this.#mnist, this.#run, this.#state];
    if (gpu === undefined || mnist === undefined || run === undefined) return;
    if (!['ready', 'running', 'paused', 'done'].includes(before)) return;
    if (before === 'running') run.trainer.pause();
    this.#become('measuring');
    try {
      await work(gpu, mnist, run.settings);
    } finally {
      this.#speedometer.restart();
      if (before === 'running') run.trainer.resume();
      // Training may have ended or failed during the work.
      if (this.#state === 'measuring') this.#become(before);
    }
  }

  /** Predicts ten probabilities for each digit with the current weights; null if there is no model. */
  async predict(images: Uint8Array<ArrayBuffer>): Promise<Float32Array | null> {
    const run = this.#run;
    if (run === undefined) return null;
    try {
      return await run.model.predict(images);
    } catch (error) {
      if (run === this.#run) this.#fail(error);
      return null;
    }
  }

  async #request(): Promise<Gpu> {
    const gpu = await Gpu.request();
    this.#gpu = gpu;
    const { vendor, architecture, description, software } = gpu.info;
    this.#say({ type: 'adapter', vendor, architecture, description, software });
    // Without training no other operation would detect the loss.
    void gpu.lost.then(({ reason, message }) => {
      if (this.#gpu === gpu && this.#state !== 'running') this.#fail(lostWhileIdle(reason, message));
    });
    return gpu;
  }

  async #upload(gpu: Gpu, digits: Promise<Mnist>): Promise<void> {
    const { train, test } = await digits;
    this.#mnist = { train, test };
    this.#train = Dataset.create(gpu, { inputs: train.images, classes: train.classes, features: PIXELS });
    this.#test = Dataset.create(gpu, { inputs: test.images, classes: test.classes, features: PIXELS });
  }

  async #prepare(settings: Settings): Promise<void> {
    const gpu = this.#gpu;
    if (gpu === undefined) throw new Error('The session is not open.');
    const old = this.#run;
    this.#run = undefined;
    old?.abort.abort();
    old?.model.dispose();
    const model = await makeModel(gpu, settings);
    const trainer = await makeTrainer(model, settings);
    const steps = Math.ceil(Math.min(this.#limit, TRAINING_DIGITS) / settings.batch);
    const position = { epoch: 1, epochs: settings.epochs, step: 0, steps, singleSteps: 0 };
    const abort = new AbortController();
    this.#run = { settings, model, trainer, stepper: undefined, abort, position, fitting: false };
    const sizes = [PIXELS, ...settings.layers, 10];
    this.#say({ type: 'model', summary: model.summary(), parameterCount: model.parameterCount, sizes });
  }

  async #fit(): Promise<void> {
    const [run, train, test] = [this.#run, this.#train, this.#test];
    if (run === undefined || train === undefined || test === undefined) throw new Error('The session is not open.');
    const { settings, trainer, abort } = run;
    const current = (): boolean => this.#run === run && !abort.signal.aborted;
    run.fitting = true;
    this.#speedometer.restart();
    this.#become('running');
    try {
      const history = await trainer.fit(train, {
        epochs: settings.epochs,
        validation: test,
        signal: abort.signal,
        onStep: ({ epoch, step, loss, accuracy }) => {
          if (!current()) return;
          run.position = { ...run.position, epoch, step };
          const samples = stepsDone(run.position) * settings.batch;
          this.#sayProgress(run, { loss, accuracy }, this.#speedometer.read(performance.now(), samples));
        },
        onEpoch: async ({ epoch, loss, accuracy, validation, seconds }) => {
          if (!current() || validation === undefined) return;
          this.#say({
            type: 'epoch',
            epoch,
            loss,
            accuracy,
            validation,
            seconds,
            stepsDone: stepsDone(run.position),
          });
          await this.afterEpoch();
          this.#speedometer.restart();
        },
      });
      if (!current()) return;
      const last = history.at(-1);
      this.#say({
        type: 'done',
        testAccuracy: last?.validation?.accuracy ?? Number.NaN,
        testLoss: last?.validation?.loss ?? Number.NaN,
        seconds: history.reduce((sum, { seconds }) => sum + seconds, 0),
        weightsHash: await hashWeights(run.model),
      });
      this.#become('done');
    } catch (error) {
      if (current()) throw error;
    } finally {
      run.fitting = false;
    }
  }

  #sayProgress({ position }: Run, scores: Scores, samplesPerSecond: number): void {
    this.#say({ type: 'progress', ...position, ...scores, samplesPerSecond, stepsDone: stepsDone(position) });
  }

  #become(state: State): void {
    this.#state = state;
    this.#say({ type: 'state', state });
  }

  #fail(error: unknown): void {
    if (this.#state === 'failed') return;
    this.#run?.abort.abort();
    this.#run?.trainer.resume();
    this.#become('failed');
    this.#say({ type: 'error', error });
  }

  #say(event: SessionEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Creates a network with weights initialized from the seed. */
export function makeModel(gpu: Gpu, { layers, activation, seed }: Settings): Promise<Mlp> {
  const hidden = layers.map((units) => dense(units, activation));
  return Mlp.create(gpu, { inputs: PIXELS, normalize: 'unit', layers: [...hidden, dense(10)], seed });
}

export function makeTrainer(model: Mlp, settings: Settings): Promise<Trainer<Metric<'accuracy'>>> {
  return model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: settings.rate, momentum: settings.momentum }),
    metrics: [accuracy()],
    batchSize: settings.batch,
  });
}

function lostWhileIdle(reason: 'destroyed' | 'unknown', message: string): DeviceLostError {
  return new DeviceLostError(`The GPU device was lost (${reason}): ${message}`, reason);
}

const sameSettings = (a: Settings, b: Settings): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Randomly chosen training digits. */
export function randomBatch(
  { train }: Mnist,
  size: number,
): { inputs: Uint8Array<ArrayBuffer>; classes: Uint8Array<ArrayBuffer> } {
  const inputs = new Uint8Array(size * PIXELS);
  const classes = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const index = Math.floor(Math.random() * train.count);
    inputs.set(train.images.subarray(index * PIXELS, (index + 1) * PIXELS), i * PIXELS);
    classes[i] = train.classes[index] ?? 0;
  }
  return { inputs, classes };
}

/** SHA-256 of all weights' bytes, in their order: the same seed gives the same hash. */
async function hashWeights(model: Mlp): Promise<string> {
  const weights = await model.weights();
  const bytes = await new Blob(weights.map(({ data }) => data as BlobPart)).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
