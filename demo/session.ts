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
 * loading → ready → running ⇄ paused → done; failed when the GPU or the training gave up. Measuring is on the side: from each
 * of the others but loading and failed, and back to it.
 */
export type State = 'loading' | 'ready' | 'running' | 'paused' | 'done' | 'measuring' | 'failed';

export interface Scores {
  readonly loss: number;
  readonly accuracy: number;
}

/** Everything a session has to say; `headless.ts` passes these on as they are. */
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
      /** 0 while it is not known. */
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
  /** For single steps, also while `trainer` is held in the middle of an epoch; made when first asked for. */
  stepper: Promise<Trainer<Metric<'accuracy'>>> | undefined;
  readonly abort: AbortController;
  position: Position;
  fitting: boolean;
}

/** Where a run is: in which epoch, at which of its steps, and how many single steps came on top. */
interface Position {
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  readonly singleSteps: number;
}

/** Steps done since the weights were new. */
const stepsDone = ({ epoch, step, steps, singleSteps }: Position): number => (epoch - 1) * steps + step + singleSteps;

/** Owns the GPU, the data sets on it, and the one model being trained. */
export class Session {
  /** Called when an epoch has been tested; training goes on when it resolves, so that until then the weights are those. */
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

  /** @param limit how many digits of each set to use */
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

  /** What the model at hand was made with. */
  get settings(): Settings | undefined {
    return this.#run?.settings;
  }

  /** Asks for the GPU, brings the digits and puts them on it. Again after the device was lost. */
  async open(settings: Settings): Promise<void> {
    this.#become('loading');
    try {
      this.close();
      const onProgress = (fraction: number): void => this.#say({ type: 'loading', fraction });
      const digits = this.#mnist === undefined ? loadMnist(this.#limit, onProgress) : Promise.resolve(this.#mnist);
      // Without a GPU nobody waits for them.
      digits.catch(() => undefined);
      const gpu = await this.#request();
      // The model compiles while the digits are on their way.
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

  /** Fresh weights from the seed. */
  async reset(settings: Settings): Promise<void> {
    this.#become('loading');
    try {
      await this.#prepare(settings);
      this.#become('ready');
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Trains all epochs; with settings that differ from the model's, on a new model. */
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

  /** One step of training on digits picked by chance, before a run or within a pause. */
  async step(): Promise<void> {
    const [run, mnist] = [this.#run, this.#mnist];
    if (run === undefined || mnist === undefined || !['ready', 'paused'].includes(this.#state)) return;
    this.#become('paused');
    try {
      const { inputs, classes } = randomBatch(mnist, run.settings.batch);
      run.stepper ??= makeTrainer(run.model, run.settings);
      const stepper = await run.stepper;
      const read = await run.model.predict(inputs, { output: 'classes' });
      stepper.step(inputs, classes);
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
   * Holds training while `work` has the GPU; then it goes on where it was, bit for bit, if `work` leaves its model alone.
   * Does nothing while there is no model, or while other work has it.
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
      // Training may have ended meanwhile, or failed.
      if (this.#state === 'measuring') this.#become(before);
    }
  }

  /** Ten probabilities for each digit, from the weights as they are now; null while there are none. */
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
    // While nothing trains, nothing else would notice.
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

/** A network with fresh weights from the seed. */
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

/** Training digits picked by chance. */
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
