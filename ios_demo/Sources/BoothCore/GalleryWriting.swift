import Foundation

extension Gallery {
    /// The bytes of the file.
    ///
    /// - Throws: ``GalleryError`` where it breaks a limit of the format.
    public func encode() throws -> Data {
        guard entries.allSatisfy({ ($0.embedding == nil) == (embedder == nil) }) else {
            throw GalleryError("some photos have an embedding and some have none", hint: "all have one or none has")
        }
        guard entries.allSatisfy({ $0.features.count == sections.count }) else {
            throw GalleryError("a photo has features of other sections")
        }
        let rows = sections.indices.map { i in entries.indices.filter { entries[$0].features[i] != nil } }
        let header = GalleryHeader(
            sections: sections, rows: rows, embedder: embedder, labels: entries.map(\.label),
            descriptorSize: try Self.commonLength("descriptors", entries.map(\.descriptor)),
            embeddingSize: try Self.commonLength("embeddings", entries.compactMap(\.embedding)),
            extensions: extensions, contentSha256: nil)
        let head = try header.encode()
        var out = Data(capacity: 8 + head.count + header.dataSize)
        withUnsafeBytes(of: UInt64(head.count).littleEndian) { out.append(contentsOf: $0) }
        out.append(contentsOf: head)
        for entry in entries { out.append(floats: entry.descriptor) }
        for entry in entries { out.append(floats: entry.embedding ?? []) }
        for (i, section) in sections.enumerated() {
            let steps = section.steps ?? []
            guard steps.count == (section.half ? 0 : section.parts.count) else { throw GalleryError("its scales are \(steps)") }
            out.append(floats: steps)
            for (which, one) in section.tensors.enumerated() {
                for row in rows[i] {
                    guard let features = entries[row].features[i], features.count == section.tensors.count,
                        features[which].count == one.tensor.bytes
                    else { throw GalleryError("its \(one.name) have different shapes") }
                    out.append(contentsOf: features[which])
                }
            }
        }
        let digits = out.withUnsafeBytes { Self.hash($0, headerLength: head.count) }
        let start = out.startIndex + 8 + GalleryHeader.hashAt
        out.replaceSubrange(start..<start + 64, with: digits.utf8)
        _ = try Gallery(out)  // what a reader would refuse is not written
        return out
    }

    private static func commonLength(_ what: String, _ vectors: [[Float]]) throws -> Int {
        guard let length = vectors.first?.count else { return 0 }
        guard vectors.allSatisfy({ $0.count == length }) else { throw GalleryError("its \(what) have different shapes") }
        return length
    }
}
