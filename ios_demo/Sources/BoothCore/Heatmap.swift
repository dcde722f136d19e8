/// How much one exemplar counted where, in colours over a face.
public enum Heatmap {
    /// Of the colours over the face.
    private static let opacity = 0.45

    /// The jet colour of a value in [0, 1], red, green and blue from 0 to 1: dark blue, cyan, yellow, dark red.
    static func jet(_ value: Double) -> [Double] {
        let four = 4 * min(max(value, 0), 1)
        return [3, 2, 1].map { min(max(1.5 - (four - $0).magnitude, 0), 1) }
    }

    /// One exemplar's weight [`side`, `side`] of `count` exemplars' in jet colours over a face.
    ///
    /// CoFA's weights add up to 1 over the exemplars (to less where none of them matches), so 1 / count is an equal part:
    /// that is green; dark blue is none, and dark red twice an equal part or more.
    ///
    /// - Throws: ``PictureError`` where there are other than `side * side` weights.
    public static func over(_ face: Pixels, weights: [Float], side: Int, count: Int) throws -> Pixels {
        guard (1...Rules.Gallery.mostSide).contains(side), weights.count == side * side else {
            throw PictureError("\(weights.count) weights are no square of \(side)", hint: "the model is damaged")
        }
        let scaled = weights.map { $0 * (Float(count) / 2) }
        let levels = Bicubic.resize(scaled, from: (side, side), to: (face.width, face.height), channels: 1)
        var result = face
        for (i, level) in levels.enumerated() {
            let (red, green, blue) = (Double(face.rgb[3 * i]), Double(face.rgb[3 * i + 1]), Double(face.rgb[3 * i + 2]))
            let grey = (1 - opacity) * Descriptor.luma(red, green, blue)
            for (c, share) in jet(Double(level)).enumerated() {
                let colour = (share * 255).rounded(.toNearestOrEven)
                result.rgb[3 * i + c] = roundedLevel(grey + opacity * colour)
            }
        }
        return result
    }
}
