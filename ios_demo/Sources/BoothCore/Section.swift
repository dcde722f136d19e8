/// A part of a map: its channels lie together, and have an int8 step of their own.
public struct FeaturePart: Hashable, Sendable {
    public let name: String
    public let channels: Int

    public init(name: String, channels: Int) {
        self.name = name
        self.channels = channels
    }
}

/// What a network keeps of an exemplar at each place of a square grid of `size` pixels a side.
public struct FeatureMap: Hashable, Sendable {
    public let name: String
    public let size: Int
    public let parts: [FeaturePart]

    public init(name: String, size: Int, parts: [FeaturePart]) {
        self.name = name
        self.size = size
        self.parts = parts
    }

    public var channels: Int { parts.reduce(0) { $0 + $1.channels } }
    /// Numbers of one exemplar's map.
    public var count: Int { size * size * channels }
}

/// A vector that a network keeps of an exemplar, which is no map.
public struct Code: Hashable, Sendable {
    public let name: String
    public let length: Int

    public init(name: String, length: Int) {
        self.name = name
        self.length = length
    }
}

/// What of one exemplar a section holds, as it is stored: its maps (int8, or the bits of fp16 in little-endian order),
/// then its codes (float32).
public typealias Features = [[UInt8]]

/// One network's share of a gallery: what its features mean, and how they are stored.
public struct Section: Equatable, Sendable {
    public let featureSpace: String
    public let scale: Int
    public let lrSize: Int
    public let maps: [FeatureMap]
    public let codes: [Code]
    /// Whether maps are fp16, else int8.
    public let half: Bool
    /// int8 step of each part of the maps, or nil for fp16 and where they are not read yet.
    public let steps: [Float]?

    public init(
        featureSpace: String, scale: Int, lrSize: Int, maps: [FeatureMap], codes: [Code] = [], half: Bool, steps: [Float]?
    ) {
        self.featureSpace = featureSpace
        self.scale = scale
        self.lrSize = lrSize
        self.maps = maps
        self.codes = codes
        self.half = half
        self.steps = steps
    }

    /// What a section is found by: the bytes of its feature space, since Swift takes two spellings of a letter for equal.
    public struct Key: Hashable, Sendable {
        let featureSpace: [UInt8]
        let scale: Int
        let lrSize: Int
    }

    public var key: Key { Key(featureSpace: Array(featureSpace.utf8), scale: scale, lrSize: lrSize) }

    /// Parts of all maps, in order.
    public var parts: [FeaturePart] { maps.flatMap(\.parts) }

    /// What is stored of one exemplar, in order.
    public var tensors: [NamedTensor] {
        maps.map { NamedTensor($0.name, half ? .f16 : .i8, [$0.size, $0.size, $0.channels]) }
            + codes.map { NamedTensor($0.name, .f32, [$0.length]) }
    }

    func with(steps: [Float]?) -> Section {
        Section(featureSpace: featureSpace, scale: scale, lrSize: lrSize, maps: maps, codes: codes, half: half, steps: steps)
    }

    /// Numbers of each map and code of one exemplar, in order.
    public var counts: [Int] { maps.map(\.count) + codes.map(\.length) }

    /// float32 maps [h, w, C] and codes of one exemplar as they are stored.
    ///
    /// - Throws: ``GalleryError`` where they do not fit, or one is not finite.
    public func pack(_ features: [[Float]]) throws -> Features {
        guard features.map(\.count) == counts else {
            throw GalleryError("\(features.map(\.count)) features do not fit this network", hint: "convert it again")
        }
        guard features.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
            throw GalleryError("the features hold values that are not finite", hint: "the model is damaged")
        }
        return try features.enumerated().map { which, values in
            guard which < maps.count else { return values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) } }
            guard !half else { return values.flatMap { withUnsafeBytes(of: Half.bits($0).littleEndian, Array.init) } }
            let step = try stepOfChannel(which)
            var at = 0
            return values.map { value in
                let level = (value / step[at]).rounded(.toNearestOrEven)
                at = at + 1 == step.count ? 0 : at + 1
                return UInt8(bitPattern: Int8(min(max(level, -127), 127)))
            }
        }
    }

    /// An exemplar's maps [h, w, C] and codes as the network takes them, float32.
    ///
    /// - Throws: ``GalleryError`` where the features are not this section's.
    public func unpack(_ features: Features) throws -> [[Float]] {
        guard features.map(\.count) == tensors.map(\.tensor.bytes) else { throw GalleryError("the features have another shape") }
        return try features.enumerated().map { which, stored in
            guard which < maps.count else {
                return (0..<codes[which - maps.count].length).map { i in
                    Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(stored[4 * i + $1]) << UInt32(8 * $1) })
                }
            }
            guard !half else {
                return (0..<maps[which].count).map { Half.float(UInt16(stored[2 * $0]) | UInt16(stored[2 * $0 + 1]) << 8) }
            }
            let step = try stepOfChannel(which)
            var at = 0
            return stored.map { level in
                defer { at = at + 1 == step.count ? 0 : at + 1 }
                return Float(Int8(bitPattern: level)) * step[at]
            }
        }
    }

    /// int8 step of each channel of a map.
    private func stepOfChannel(_ which: Int) throws -> [Float] {
        let before = maps[..<which].reduce(0) { $0 + $1.parts.count }, parts = maps[which].parts
        guard let steps, steps.count >= before + parts.count else {
            throw GalleryError("int8 features have no steps", hint: "convert the network again")
        }
        return zip(parts, steps[before...]).flatMap { part, step in repeatElement(step, count: part.channels) }
    }

    /// What this section lacks to hold what `other` of the same key describes, or has otherwise: what follows on "the
    /// gallery"; nil where their features mean the same.
    public func differs(from other: Section) -> String? {
        let ours = described, wanted = other.described
        for (name, one) in wanted {
            guard let own = ours.first(where: { $0.name == name })?.of else { return "has no \(name) of \(one)" }
            if own != one { return "has \(name) of \(own), not of \(one)" }
        }
        guard ours.map(\.name) == wanted.map(\.name) else {
            return "has \(ours.map(\.name).joined(separator: ", ")), not \(wanted.map(\.name).joined(separator: ", "))"
        }
        guard steps == nil || steps == other.steps else { return "has other int8 steps" }
        return nil
    }

    /// Maps and codes for people: `32x32 pixels with f_ref 64 + g_ref 64`.
    private var described: [(name: String, of: String)] {
        maps.map { map in
            let parts = map.parts.map { "\($0.name) \($0.channels)" }.joined(separator: " + ")
            return (map.name, "\(map.size)x\(map.size) pixels with \(parts)")
        } + codes.map { ($0.name, "\($0.length) numbers") }
    }
}
