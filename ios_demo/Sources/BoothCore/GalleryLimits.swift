/// Every limit of `docs/gallery-format.md` on a header.
extension GalleryHeader {
    private typealias Limits = Rules.Gallery

    /// - Throws: ``GalleryError`` where a limit is broken.
    func check() throws {
        if let embedder { try Self.checkText("embedder", embedder) }
        guard labels.count <= Limits.mostEntries else {
            throw GalleryError("it has \(labels.count) entries", hint: "at most \(Limits.mostEntries) photos fit")
        }
        try labels.forEach(Self.check)
        guard Set(labels.map(\.photoSha256)).count == labels.count else { throw GalleryError("it holds one photo twice") }
        guard (1...Limits.mostSections).contains(sections.count), rows.count == sections.count else {
            throw GalleryError("it has \(sections.count) sections")
        }
        for (section, held) in zip(sections, rows) {
            try Self.check(section)
            let ascending = zip(held, held.dropFirst()).allSatisfy { $0 < $1 }
            guard ascending, held.allSatisfy(labels.indices.contains) else {
                throw GalleryError("a section's entries are \(held.prefix(20))")
            }
        }
        guard Set(sections.map(\.key)).count == sections.count else { throw GalleryError("it has two sections of one network") }
        let least = labels.isEmpty ? 0 : 1
        guard (least...Limits.mostVector).contains(descriptorSize) else {
            throw GalleryError("its descriptors have \(descriptorSize) numbers")
        }
        guard ((embedder == nil ? 0 : least)...Limits.mostVector).contains(embeddingSize) else {
            throw GalleryError("its embeddings have \(embeddingSize) numbers")
        }
        guard extensions.count <= Limits.mostExtensions, extensions.keys.allSatisfy(Self.isKey) else {
            throw GalleryError("its extensions are \(extensions.keys.sorted().prefix(20))")
        }
        for (key, value) in extensions { try Self.checkText("extension \(key)", value, most: Limits.mostExtension) }
        guard dataSize <= Limits.mostData else { throw GalleryError("it has \(dataSize) bytes", hint: "use fewer photos") }
    }

    static func check(_ section: Section) throws {
        try checkText("feature_space", section.featureSpace)
        guard Limits.scales.contains(section.scale) else { throw GalleryError("its scale is \(section.scale)") }
        guard (Limits.leastLr...Limits.mostLr).contains(section.lrSize) else {
            throw GalleryError("its lr_size is \(section.lrSize)")
        }
        guard (1...Limits.mostMaps).contains(section.maps.count), section.codes.count <= Limits.mostCodes else {
            throw GalleryError("a section has \(section.maps.count) maps and \(section.codes.count) codes")
        }
        let parts = section.parts
        for names in [section.maps.map(\.name) + section.codes.map(\.name) + [steps], parts.map(\.name)] {
            guard names.allSatisfy(isKey), Set(names).count == names.count else {
                throw GalleryError("its parts, maps and codes are called \(names.prefix(20))")
            }
        }
        guard parts.count <= Limits.mostParts else { throw GalleryError("its features have \(parts.count) parts") }
        for map in section.maps {
            // The sum is taken only of what is in its bounds: it cannot overflow.
            guard map.parts.allSatisfy({ (1...Limits.mostChannels).contains($0.channels) }),
                (1...Limits.mostChannels).contains(map.channels)
            else { throw GalleryError("its features have \(map.parts.map(\.channels).prefix(20)) channels") }
            guard (1...Limits.mostSide).contains(map.size) else { throw GalleryError("a map has a side of \(map.size)") }
        }
        for code in section.codes where !(1...Limits.mostVector).contains(code.length) {
            throw GalleryError("a code has \(code.length) numbers")
        }
    }

    private static func check(_ label: Label) throws {
        guard isSha256(label.photoSha256) else { throw GalleryError("an entry's photo_sha256 is \(label.photoSha256.prefix(80))") }
        if let name = label.name { try checkText("entry's name", name) }
        for measures in [label.quality, label.pose] {
            guard measures.count <= Limits.mostMeasures else { throw GalleryError("an entry has \(measures.count) measures") }
            for (key, value) in measures {
                guard isKey(key) else { throw GalleryError("an entry's measure is called \(key.prefix(40))") }
                guard value.magnitude <= UInt(Limits.mostThousandths) else { throw GalleryError("an entry's measure is \(value)") }
            }
        }
    }

    private static func checkText(_ what: String, _ value: String, most: Int = Limits.mostText) throws {
        guard (1...most).contains(value.utf8.count), isLine(value) else {
            throw GalleryError("its \(what) is no line of 1 to \(most) bytes")
        }
    }

    private static func isKey(_ text: String) -> Bool {
        guard let first = text.utf8.first, isLetter(first), text.utf8.count <= 32 else { return false }
        return text.utf8.allSatisfy { isLetter($0) || (48...57).contains($0) || $0 == UInt8(ascii: "_") }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
}

/// Whether a text has no control character.
func isLine(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 32 && $0 != 127 } }

/// 64 lower-case hex digits.
func isSha256(_ text: String) -> Bool {
    text.utf8.count == 64
        && text.utf8.allSatisfy { (48...57).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) }
}
