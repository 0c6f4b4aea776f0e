import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { wake } from '../../src/gpu/wake.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());
