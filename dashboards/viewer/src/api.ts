// The two APIs the page reads: its own (dashboards, configuration) and Prometheus' HTTP API. At most six requests are
// in flight, as many as a browser opens to one host over HTTP/1.1; more would only wait where they cannot be cancelled.

import type { Dashboard, DashboardSummary } from "./model.ts";

/** ApiError carries the server's own words; they are what the reader needs. */
export class ApiError extends Error {}

export interface Config { traceUrl: string }

export type Labels = Record<string, string>;
export type Sample = [time: number, value: string];
export interface NativeHistogram { count: string; sum: string; buckets?: [rule: number, left: string, right: string, count: string][] }
export interface MatrixSeries { metric: Labels; values?: Sample[]; histograms?: [number, NativeHistogram][] }
export interface VectorSample { metric: Labels; value?: Sample; histogram?: [number, NativeHistogram] }
export interface ExemplarSeries { seriesLabels: Labels; exemplars: { labels: Labels; value: string; timestamp: number }[] }

const maxInFlight = 6;
let inFlight = 0;
const waiting: (() => void)[] = [];

async function slot(signal: AbortSignal | undefined): Promise<void> {
  if (inFlight >= maxInFlight) await new Promise<void>((resolve) => waiting.push(resolve));
  inFlight++;
  if (signal?.aborted) {
    release();
    throw signal.reason;
  }
}

function release(): void {
  inFlight--;
  waiting.shift()?.();
}

async function fetchText(path: string, init: RequestInit): Promise<{ response: Response; body: string }> {
  await slot(init.signal ?? undefined);
  try {
    const response = await fetch(new URL(path, document.baseURI), init);
    return { response, body: await response.text() };
  } catch (err) {
    if (init.signal?.aborted) throw err;
    throw new ApiError(`the store does not answer (${err instanceof Error ? err.message : err})`);
  } finally {
    release();
  }
}

function parse(body: string, response: Response): unknown {
  try {
    return JSON.parse(body);
  } catch {
    const start = body.trim().slice(0, 200) || "an empty body";
    throw new ApiError(`${response.url} answered ${response.status} with no JSON: ${start}`);
  }
}

async function own<T>(path: string): Promise<T> {
  const { response, body } = await fetchText(path, {});
  if (!response.ok) throw new ApiError(`${response.url} answered ${response.status}: ${body.trim().slice(0, 200)}`);
  return parse(body, response) as T;
}

export const listDashboards = (): Promise<DashboardSummary[]> => own("api/dashboards");
export const getDashboard = (uid: string): Promise<Dashboard> => own(`api/dashboards/${encodeURIComponent(uid)}`);
export const getConfig = (): Promise<Config> => own("api/config");

interface Envelope { status: string; error?: string; errorType?: string; data: unknown; warnings?: string[] }
export interface Answer<T> { data: T; warnings: string[] }

async function prometheus<T>(path: string, params: URLSearchParams, signal?: AbortSignal, get = false): Promise<Answer<T>> {
  const init: RequestInit = get ? { signal } : { method: "POST", body: params, signal };
  const { response, body } = await fetchText(`../api/v1/${path}${get ? `?${params}` : ""}`, init);
  const envelope = parse(body, response) as Envelope;
  if (envelope.status !== "success") {
    throw new ApiError(envelope.error ? `${envelope.errorType}: ${envelope.error}` : `${response.url} answered ${response.status}`);
  }
  return { data: envelope.data as T, warnings: envelope.warnings ?? [] };
}

interface Result<T> { resultType: string; result: T }

export async function queryRange(expr: string, start: number, end: number, step: number, signal: AbortSignal): Promise<Answer<MatrixSeries[]>> {
  const params = new URLSearchParams({ query: expr, start: String(start), end: String(end), step: String(step) });
  const { data, warnings } = await prometheus<Result<MatrixSeries[]>>("query_range", params, signal);
  return { data: data.result, warnings };
}

/** query asks for one moment; a scalar becomes a vector of one sample without labels. */
export async function query(expr: string, time: number, signal?: AbortSignal): Promise<Answer<VectorSample[]>> {
  const params = new URLSearchParams({ query: expr, time: String(time) });
  const { data, warnings } = await prometheus<Result<VectorSample[] | Sample>>("query", params, signal);
  if (data.resultType === "vector") return { data: data.result as VectorSample[], warnings };
  if (data.resultType === "scalar") return { data: [{ metric: {}, value: data.result as Sample }], warnings };
  throw new ApiError(`bad_data: an instant query gave a ${data.resultType}; a vector or scalar is needed`);
}

export async function queryExemplars(expr: string, start: number, end: number, signal: AbortSignal): Promise<ExemplarSeries[]> {
  const params = new URLSearchParams({ query: expr, start: String(start), end: String(end) });
  return (await prometheus<ExemplarSeries[]>("query_exemplars", params, signal)).data;
}

export async function labelValues(label: string, match: string | undefined, start: number, end: number, signal: AbortSignal): Promise<string[]> {
  const params = new URLSearchParams({ start: String(start), end: String(end) });
  if (match) params.set("match[]", match);
  return (await prometheus<string[]>(`label/${encodeURIComponent(label)}/values`, params, signal, true)).data;
}
