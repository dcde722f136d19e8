import Foundation

/// Which exemplars serve an LR face best, by their descriptors alone (`docs/gallery-format.md`).
public enum Choice {
    private typealias Rule = Rules.Choice
    private static let grid = Descriptor.grid

    /// Cells count by a Gaussian around the face's middle: hair and background differ from day to day.
    private static let weights: [Double] = (0..<grid * grid).map { i in
        let x = (Double(i % grid) - Rule.centre[0]) / Rule.spread[0]
        let y = (Double(i / grid) - Rule.centre[1]) / Rule.spread[1]
        return exp(-x * x - y * y)
    }

    /// Indices of the best `slots` exemplars, the best first; of equals the first. `sharpness` where it is known of all.
    ///
    /// - Throws: ``GalleryError`` where descriptors are not those of this version.
    public static func choose(_ gallery: [[Float]], query: [Float], slots: Int, sharpness: [Double]? = nil) throws -> [Int] {
        let far = try distances(gallery, query: query, sharpness: sharpness)
        // Swift's sort keeps the order of equals, but does not promise it.
        let order = far.indices.sorted { (far[$0], $0) < (far[$1], $1) }
        return Array(order.prefix(max(slots, 0)))
    }

    /// (A + a)(E + a) sqrt(P + p) / sharpness^(1/4) of each exemplar; lower is better.
    static func distances(_ gallery: [[Float]], query: [Float], sharpness: [Double]? = nil) throws -> [Double] {
        if let foreign = (gallery + [query]).first(where: { $0.count != Descriptor.size || !$0.allSatisfy(\.isFinite) }) {
            throw GalleryError("a descriptor has \(foreign.count) numbers, and this version compares \(Descriptor.size) finite ones")
        }
        let turn = turns(gallery, query)
        return gallery.indices.map { n in
            let (appearance, edges) = difference(gallery[n], query)
            let distance = (appearance + Rule.leastDifference) * (edges + Rule.leastDifference) * turn[n].squareRoot()
            guard let sharpness, sharpness.indices.contains(n) else { return distance }
            return distance / pow(max(sharpness[n], Rule.leastDifference), Rule.sharpnessPower)
        }
    }

    /// A and E: of the cells, and of the differences between neighbouring cells.
    private static func difference(_ one: [Float], _ other: [Float]) -> (Double, Double) {
        let off = (0..<grid * grid).map { Double(one[$0]) - Double(other[$0]) }
        var (appearance, all, edges, inner) = (0.0, 0.0, 0.0, 0.0)
        for (i, weight) in weights.enumerated() {
            appearance += off[i] * off[i] * weight
            all += weight
            guard i % grid < grid - 1, i < grid * (grid - 1) else { continue }
            let right = off[i + 1] - off[i], below = off[i + grid] - off[i]
            edges += (right * right + below * below) * weight
            inner += weight
        }
        return (appearance / all, edges / inner)
    }

    /// P + p of each exemplar; one without landmarks takes the mean of the others.
    private static func turns(_ gallery: [[Float]], _ query: [Float]) -> [Double] {
        let known = gallery.map { $0[Descriptor.hasLandmarks] > 0 }
        guard query[Descriptor.hasLandmarks] > 0, known.contains(true) else { return gallery.map { _ in 1 } }
        let off = gallery.map { one in
            (Descriptor.landmarks..<Descriptor.landmarks + 10).reduce(0.0) { sum, i in
                let d = Double(one[i]) - Double(query[i])
                return sum + d * d
            } / 10
        }
        let usual = average(zip(off, known).filter(\.1).map(\.0))
        return zip(off, known).map { ($1 ? $0 : usual) + Rule.leastTurn }
    }
}
