import Foundation

/// Faces in photos, and landmarks sharpened by looking at each face many times (`docs/alignment.md`, Landmarks).
public struct FaceDetector: Sendable {
    private typealias Rule = Rules.Detector
    private let network: any FaceNetwork
    private let threshold: Double

    public init(_ network: any FaceNetwork, threshold: Double = Rules.Detector.leastScore) {
        self.network = network
        self.threshold = threshold
    }

    /// Faces of a photo, the largest first. `longSide` bounds what is searched: faces under about 10 pixels at that scale
    /// are not found. nil searches the photo as it is, where tiny faces matter more than time. Where nothing is found,
    /// half and a quarter of that size are searched.
    public func detect(_ photo: Pixels, longSide: Int? = Rules.Detector.longSide) async throws -> [Face] {
        let longest = max(photo.width, photo.height)
        let most = min(longest, longSide ?? longest)
        for limit in [most, most / 2, most / 4] where limit >= 1 {
            let scale = min(1, Double(limit) / Double(longest))
            let width = scaled(photo.width, scale), height = scaled(photo.height, scale)
            let found = try await search(AreaResize.resize(photo, width: width, height: height))
            guard !found.isEmpty else { continue }
            // Sides are rounded when a photo is scaled, so each axis has its own exact factor.
            let (x, y) = (Double(photo.width) / Double(width), Double(photo.height) / Double(height))
            return found.map { $0.scaled(x, y) }.sortedBySize()
        }
        return []
    }

    /// The face with landmarks that hardly depend on its size, angle and place in the photo.
    ///
    /// - Throws: ``FaceError`` where the face lies outside the photo.
    public func refine(_ photo: Pixels, _ face: Face) async throws -> Face {
        var landmarks = face.landmarks
        for views in Rule.views {
            let (patch, toPhoto) = try Self.upright(photo, Alignment(landmarks: landmarks))
            var looks: [[Point]] = []
            for n in 0..<views {
                if let look = try await look(patch, n, of: views) { looks.append(look) }
            }
            guard !looks.isEmpty else { return face }
            landmarks = (0..<5).map { n in toPhoto(Point(average(looks.map { $0[n].x }), average(looks.map { $0[n].y }))) }
        }
        return face.with(landmarks)
    }

    private func search(_ picture: Pixels) async throws -> [Face] {
        let outputs = try await network.run(picture)
        return try Yunet.decode(outputs, width: picture.width, height: picture.height, threshold: threshold)
    }

    private func scaled(_ length: Int, _ scale: Double) -> Int { max(1, Int((Double(length) * scale).rounded(.toNearestOrEven))) }

    /// Landmarks in patch coordinates from one of the views, or nil where the face is not seen.
    private func look(_ patch: Pixels, _ n: Int, of views: Int) async throws -> [Point]? {
        // The fractions are those of a two-dimensional golden-ratio sequence: any number of views is spread evenly.
        func shift(_ fraction: Double) -> Int {
            let turns = Double(n) * fraction + 0.5 / Double(views)
            return Int(turns.truncatingRemainder(dividingBy: 1) * Double(2 * Rule.stride))
        }
        let left = shift(0.7548776662), top = shift(0.569840291)
        let pixels = Rule.viewPixels
        let view = patch.region(left: left, top: top, width: 2 * pixels, height: 2 * pixels)
        let flipped = n % 2 == 1
        let faces = try await search(AreaResize.resize(flipped ? view.mirrored : view, width: pixels, height: pixels))
        func offCentre(_ face: Face) -> Double {
            hypot(average(face.landmarks.map(\.x)) - Double(pixels) / 2, average(face.landmarks.map(\.y)) - Double(pixels) / 2)
        }
        guard let nearest = faces.min(by: { offCentre($0) < offCentre($1) }) else { return nil }
        let points = nearest.landmarks.map { Point(2 * $0.x, 2 * $0.y) }
        let seen = flipped ? Rule.mirrored.map { Point(Double(2 * pixels) - points[$0].x, points[$0].y) } : points
        return seen.map { Point($0.x + Double(left), $0.y + Double(top)) }
    }

    /// The face upright at twice the views' scale with room to shift, and the map from there to the photo.
    private static func upright(_ photo: Pixels, _ alignment: Alignment) throws -> (Pixels, Affine) {
        let count = 2 * (Rule.viewPixels + Rule.stride)
        let wider = Double(count) / Double(2 * Rule.viewSide)
        let wide = Alignment(centre: alignment.centre, half: Point(alignment.half.x * wider, alignment.half.y * wider))
        // Only the face's surroundings are touched, and a huge face is averaged down first: memory stays small.
        let reach = wide.side * 0.75
        let left = max(0, Int((wide.centre.x - reach).rounded(.down)))
        let top = max(0, Int((wide.centre.y - reach).rounded(.down)))
        let right = min(photo.width, Int((wide.centre.x + reach).rounded(.up)))
        let bottom = min(photo.height, Int((wide.centre.y + reach).rounded(.up)))
        let factor = max(1, Int((alignment.side / Double(4 * Rule.viewSide)).rounded(.down)))
        let columns = (right - left) / factor, rows = (bottom - top) / factor
        guard columns >= 1, rows >= 1 else { throw FaceError("the face lies outside the photo") }
        let region = photo.region(left: left, top: top, width: columns * factor, height: rows * factor)
        let reduced = AreaResize.resize(region, width: columns, height: rows)
        let toPhoto = wide.photoFromCrop(count)
        let k = max(1, Int((wide.side / Double(factor) / Double(count)).rounded(.up)))
        let scale = 1 / Double(factor * k)
        let (a, b, d, e) = (toPhoto.a * scale, toPhoto.b * scale, toPhoto.d * scale, toPhoto.e * scale)
        // OpenCV counts from the centre of the first pixel, on both sides.
        let c = (toPhoto.c - Double(left)) / Double(factor) + (a + b) / 2 - 0.5
        let f = (toPhoto.f - Double(top)) / Double(factor) + (d + e) / 2 - 0.5
        let fine = Warp.linear(reduced, Affine(a: a, b: b, c: c, d: d, e: e, f: f), size: count * k)
        return (AreaResize.resize(fine, width: count, height: count), toPhoto)
    }
}

extension [Face] {
    /// The largest first; of equals the first.
    func sortedBySize() -> [Face] {
        indices.sorted { self[$0].area == self[$1].area ? $0 < $1 : self[$0].area > self[$1].area }.map { self[$0] }
    }
}
