/// [height, width, channels] and [channels, height, width]: a picture's order and a graph's (NHWC and NCHW).
public enum Planes {
    /// Values of `count` pictures, channels last, as planes.
    ///
    /// - Throws: ``PictureError`` where they do not divide.
    public static func from(_ values: [Float], pictures: Int = 1, channels: Int) throws -> [Float] {
        let size = try pixels(values, pictures, channels)
        var result = [Float](repeating: 0, count: values.count)
        for i in 0..<pictures {
            for c in 0..<channels { for p in 0..<size { result[(i * channels + c) * size + p] = values[(i * size + p) * channels + c] } }
        }
        return result
    }

    /// The way back from ``from(_:pictures:channels:)``.
    ///
    /// - Throws: ``PictureError`` where they do not divide.
    public static func interleaved(_ planes: [Float], pictures: Int = 1, channels: Int) throws -> [Float] {
        let size = try pixels(planes, pictures, channels)
        var result = [Float](repeating: 0, count: planes.count)
        for i in 0..<pictures {
            for c in 0..<channels { for p in 0..<size { result[(i * size + p) * channels + c] = planes[(i * channels + c) * size + p] } }
        }
        return result
    }

    private static func pixels(_ values: [Float], _ pictures: Int, _ channels: Int) throws -> Int {
        guard (1...Pixels.mostSide).contains(pictures), (1...Pixels.mostSide).contains(channels),
            values.count % (pictures * channels) == 0
        else {
            throw PictureError("\(values.count) values are no \(pictures) pictures of \(channels) channels", hint: "the model is damaged")
        }
        return values.count / (pictures * channels)
    }
}
