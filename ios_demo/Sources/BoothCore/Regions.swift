/// Which faces gain from a network, and how large the photo must be for it to show: the rules of `edgesr enhance`.
public enum Regions {
    private typealias Rule = Rules.Regions

    public enum Gain: Equatable, Sendable {
        case gains
        case tooSmall
        case largeEnough
    }

    /// Whether a face of `side` pixels (``Alignment/wholeSide``) gains from a network of this LR size, or why not.
    public static func gain(side: Int, lrSize: Int) -> Gain {
        if Double(side) > Rule.most * Double(lrSize) { return .largeEnough }
        return Double(side) < Rule.least * Double(lrSize) ? .tooSmall : .gains
    }

    /// How many times larger the output is, and whether `megapixels` kept it from being what the faces need: the smallest
    /// factor at which every face shows 3/4 of its restored pixels a side, at most 4.
    ///
    /// - Parameter faces: of each face the side in the photo, and that of the restored one.
    public static func factor(
        faces: [(side: Int, restored: Int)], width: Int, height: Int, megapixels: Double = Rules.Regions.mostMegapixels
    ) -> (factor: Int, limited: Bool) {
        let needed = faces.map { face in
            Rule.factors.first { Double($0 * face.side) >= Rule.shown * Double(face.restored) } ?? Rule.factors.count
        }
        let wanted = max(1, needed.max() ?? 1)
        var factor = wanted
        while factor > 1, Double(width * height * factor * factor) > megapixels * 1e6 { factor -= 1 }
        return (factor, factor < wanted)
    }
}
