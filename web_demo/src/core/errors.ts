/** What edgesr's own code refuses; `hint` says what to try. */
export class BoothError extends Error {
    constructor(
        message: string,
        readonly hint = "",
        options?: ErrorOptions,
    ) {
        super(message, options);
        this.name = new.target.name;
    }
}

/** A `.gallery` file is damaged, not one, or another network's. */
export class GalleryError extends BoothError {}

/** A bundle is missing, damaged or not one. */
export class BundleError extends BoothError {}

/** A photo holds no face that can be used. */
export class FaceError extends BoothError {}
