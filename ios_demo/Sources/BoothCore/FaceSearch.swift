/// Finding faces in a whole photo, the tiny ones too: a look at all of it, then at its parts at full size.
extension FaceDetector {
    private typealias Rule = Rules.Search

    /// All faces of a photo, the largest first, with refined landmarks. Memory does not grow with the photo.
    ///
    /// - Parameters:
    ///   - tiny: search at full size and enlarged too; without, only faces that show in a picture of 1024 pixels are found.
    ///   - progress: told after each look how many of all looks are done.
    /// - Throws: `CancellationError` where the task is cancelled, or what the network throws.
    public func findFaces(
        _ photo: Pixels, tiny: Bool = true, progress: @Sendable (_ done: Int, _ all: Int) async -> Void = { _, _ in }
    ) async throws -> [Face] {
        let zoom = photo.width * photo.height <= Rule.mostZoomed ? Rule.zoomed : 1
        let large = zoom > 1 || max(photo.width, photo.height) > Rules.Detector.longSide
        let parts = tiny && large ? Self.parts(photo.width, photo.height) : []
        var found = try await detect(photo)
        await progress(1, parts.count + 1)
        for (i, part) in parts.enumerated() {
            try Task.checkCancellation()
            let (width, height) = (min(Rule.tile, photo.width - part.left), min(Rule.tile, photo.height - part.top))
            let region = photo.region(left: part.left, top: part.top, width: width, height: height)
            let shown = zoom == 1 ? region : CubicResize.enlarge(region, width: width * zoom, height: height * zoom)
            let scale = 1 / Double(zoom)
            found += try await detect(shown, longSide: nil).map {
                $0.scaled(scale, scale, left: Double(part.left), top: Double(part.top))
            }
            await progress(i + 2, parts.count + 1)
        }
        let order = found.indices.sorted { found[$0].score == found[$1].score ? $0 < $1 : found[$0].score > found[$1].score }
        var kept: [Face] = []
        for i in order where kept.allSatisfy({ Self.overlap(found[i], $0) < Rule.same }) { kept.append(found[i]) }
        var refined: [Face] = []
        for face in kept where !kept.contains(where: { Self.within(face, $0) }) {
            try Task.checkCancellation()
            refined.append(try await refinedFace(photo, face))
        }
        return refined.sortedBySize()
    }

    private static func parts(_ width: Int, _ height: Int) -> [(left: Int, top: Int)] {
        starts(height).flatMap { top in starts(width).map { (left: $0, top: top) } }
    }

    private static func starts(_ length: Int) -> [Int] {
        if length <= Rule.tile { return [0] }
        let step = Rule.tile - Rule.overlap
        let count = (length - Rule.overlap + step - 1) / step
        return (0..<count).map { Int((Double($0 * (length - Rule.tile)) / Double(count - 1)).rounded(.toNearestOrEven)) }
    }

    private func refinedFace(_ photo: Pixels, _ face: Face) async throws -> Face {
        do {
            let refined = try await refine(photo, face)
            let moved = zip(refined.landmarks, face.landmarks).map { max(($0.x - $1.x).magnitude, ($0.y - $1.y).magnitude) }
            // A look that ended on another face, or on none, is worse than the first one.
            return try moved.allSatisfy { try $0 < 0.25 * face.alignment.side } ? refined : face
        } catch is FaceError {
            return face
        }
    }

    /// Area that two boxes share.
    private static func shared(_ a: Face, _ b: Face) -> Double {
        let across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
        let down = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
        return max(across, 0) * max(down, 0)
    }

    private static func overlap(_ a: Face, _ b: Face) -> Double {
        let both = shared(a, b)
        return both / max(a.area + b.area - both, Rules.Alignment.tolerance)
    }

    /// A small face inside a much larger one is a mistake of the search at full size: an eye, a print on a shirt.
    private static func within(_ face: Face, _ other: Face) -> Bool {
        other.area > 4 * face.area && shared(face, other) > 0.7 * face.area
    }
}
