import Foundation

extension Gallery {
    /// A gallery from the bytes of its file, of version 2 or 1. Header and sizes are checked before anything is allocated.
    ///
    /// - Throws: ``GalleryError`` where the bytes are damaged, beyond a limit, or of another version.
    public init(_ content: Data) throws {
        self = try content.withUnsafeBytes(Self.read)
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) throws -> Gallery {
        guard let length = headerLength(of: bytes, most: Rules.Gallery.mostHeader) else {
            throw GalleryError("it is no gallery, or cut off")
        }
        let written = Array(bytes[8..<8 + length])
        let head = GalleryHeader.isCurrent(written) ? try GalleryHeader(written) : try GalleryHeader(old: written)
        let whole = 8 + length + head.dataSize
        guard whole == bytes.count else { throw GalleryError("it has \(bytes.count) bytes, and its header says \(whole)") }
        if let expected = head.contentSha256, expected != hash(bytes, headerLength: length) {
            throw GalleryError("it is damaged: its content is not what was written")
        }
        // Every size below is the header's, which adds up to what is there.
        var reader = ByteReader(bytes, at: 8 + length)
        func floats(_ name: String, _ count: Int) throws -> [Float] {
            let row = reader.floats(count)
            guard row.allSatisfy(\.isFinite) else { throw GalleryError("its \(name) hold values that are not finite") }
            return row
        }
        let descriptors = try head.labels.map { _ in try floats("descriptors", head.descriptorSize) }
        let embeddings = head.embedder == nil ? nil : try head.labels.map { _ in try floats("embeddings", head.embeddingSize) }
        var features = [[Features?]](repeating: [], count: head.labels.count)
        var sections: [Section] = []
        for (section, rows) in zip(head.sections, head.rows) {
            let steps = section.half ? nil : try floats("scales", section.parts.count)
            if let steps, !steps.allSatisfy(isStep) { throw GalleryError("its scales are \(steps)") }
            var held: [Int: Features] = [:]
            for one in section.tensors {
                for row in rows {
                    let stored = reader.take(one.tensor.bytes)
                    try checkFinite(one, stored)
                    held[row, default: []].append(stored)
                }
            }
            for i in features.indices { features[i].append(held[i]) }
            sections.append(section.with(steps: steps))
        }
        let entries = head.labels.enumerated().map { i, label in
            Entry(features: features[i], descriptor: descriptors[i], label: label, embedding: embeddings?[i])
        }
        return Gallery(sections: sections, entries: entries, embedder: head.embedder, extensions: head.extensions)
    }

    /// SHA-256 of a whole file, with zeros in place of the hash's own digits.
    static func hash(_ bytes: UnsafeRawBufferPointer, headerLength: Int) -> String {
        var digest = Sha256()
        digest.update(UnsafeRawBufferPointer(rebasing: bytes[..<8]))
        GalleryHeader.withoutHash(Array(bytes[8..<8 + headerLength])).withUnsafeBytes { digest.update($0) }
        digest.update(UnsafeRawBufferPointer(rebasing: bytes[(8 + headerLength)...]))
        return digest.finish()
    }

    private static func checkFinite(_ one: NamedTensor, _ stored: [UInt8]) throws {
        let bad =
            switch one.tensor.dtype {
            case .i8: stored.contains(0x80)
            case .f16: stride(from: 1, to: stored.count, by: 2).contains { stored[$0] & 0x7c == 0x7c }
            // An exponent of ones, in the upper two of four bytes.
            case .f32: stride(from: 3, to: stored.count, by: 4).contains { stored[$0] & 0x7f == 0x7f && stored[$0 - 1] & 0x80 != 0 }
            }
        if bad { throw GalleryError("its \(one.name) hold values that are not finite, or -128") }
    }
}

/// Whether an int8 step is one that the format allows.
func isStep(_ step: Float) -> Bool {
    Float(Rules.Gallery.leastStep) <= step && step <= Float(Rules.Gallery.mostStep)
}
