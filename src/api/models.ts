/** Answer of `GET /api/models`: what a job specification can name as `model`. */
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
  gives: 'image' | 'classes' | 'detections' | 'mask' | 'tensors' | null;
  /** Whether a job has to name a style picture. */
  takesStyle: boolean;
  bytes: number;
  /** URL of a picture that shows what the model makes, of an app's own model; null where there is none. */
  example: string | null;
}
