/** Answer of `GET /api/models`: what a job specification can name as `model`, first what comes with the app, then at most 200 others, the newest first. */
export interface ModelList {
  models: ListedModel[];
}

export interface ListedModel {
  name: string;
  /** Whether it comes with the app. */
  bundled: boolean;
  /** What the card says of it; '' where it says nothing, and for a model that has no card. */
  description: string;
  /** What the model gives for a picture; null where only its file would tell. */
  gives: 'image' | 'classes' | 'detections' | 'mask' | 'tensor' | null;
  /** Whether a job has to name a style picture; null where only its file would tell. */
  takesStyle: boolean | null;
  bytes: number;
  /** URL of a picture that shows what the model makes, readable for an hour; null where there is none. */
  example: string | null;
}
