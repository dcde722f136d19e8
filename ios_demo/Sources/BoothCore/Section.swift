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

    /// float32 features [h, w, C] of a network of one map as they are stored.
    ///
    /// - Throws: ``GalleryError`` where they do not fit, or one is not finite.
    public func pack(_ features: [Float]) throws -> Features {
        guard maps.count == 1, codes.isEmpty, let map = maps.first, features.count == map.count else {
            throw GalleryError("\(features.count) features do not fit this network", hint: "convert it again")
        }
        guard features.allSatisfy(\.isFinite) else {
            throw GalleryError("the features hold values that are not finite", hint: "the model is damaged")
        }
        guard !half else {
            return [features.flatMap { withUnsafeBytes(of: Half.bits($0).littleEndian, Array.init) }]
        }
        let step = try stepOfChannel()
        var at = 0
        return [
            features.map { feature in
                let level = (feature / step[at]).rounded(.toNearestOrEven)
                at = at + 1 == step.count ? 0 : at + 1
                return UInt8(bitPattern: Int8(min(max(level, -127), 127)))
            }
        ]
    }

    /// The first map of an exemplar as the network takes it, float32 [h, w, C].
    ///
    /// - Throws: ``GalleryError`` where the features are not this section's.
    public func unpack(_ features: Features) throws -> [Float] {
        guard let map = maps.first, let stored = features.first, stored.count == map.count * (half ? 2 : 1) else {
            throw GalleryError("the features have another shape")
        }
        guard !half else {
            return (0..<map.count).map { Half.float(UInt16(stored[2 * $0]) | UInt16(stored[2 * $0 + 1]) << 8) }
        }
        let step = try stepOfChannel()
        var at = 0
        return stored.map { level in
            defer { at = at + 1 == step.count ? 0 : at + 1 }
            return Float(Int8(bitPattern: level)) * step[at]
        }
    }

    /// int8 step of each channel of the first map.
    private func stepOfChannel() throws -> [Float] {
        guard let map = maps.first, let steps, steps.count >= map.parts.count else {
            throw GalleryError("int8 features have no steps", hint: "convert the network again")
        }
        return zip(map.parts, steps).flatMap { part, step in repeatElement(step, count: part.channels) }
    }
}
