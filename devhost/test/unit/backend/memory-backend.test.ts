import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import { backendConformance } from '../../support/backend-conformance.js';

backendConformance('the backend in memory', () => Promise.resolve(new MemoryBackend()));
