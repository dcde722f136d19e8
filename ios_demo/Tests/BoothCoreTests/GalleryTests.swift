import Foundation
import Testing

@testable import BoothCore

@Suite struct GalleryTests {
    static let files = Vectors.files(Vectors.galleries)
    static let old = Vectors.files(Vectors.galleries.appendingPathComponent("v1"))

    static func named(_ name: String) throws -> Gallery {
        try Gallery(Data(contentsOf: Vectors.galleries.appendingPathComponent("\(name).gallery")))
    }

    @Test func thereAreFiles() {
        #expect(Self.files.count >= 7)
        #expect(Self.old.count >= 5)
    }

    @Test(arguments: files) func pythonsFilesAreReadAndWrittenAgainByteForByte(_ file: URL) throws {
        let content = try Data(contentsOf: file)
        #expect(try Gallery(content).encode() == content)
        // Of a slice, whose indices do not start at 0.
        #expect(try Gallery((Data([1, 2, 3]) + content).dropFirst(3)).encode() == content)
    }

    @Test(arguments: old) func filesOfVersion1AreReadAndUpgradedAsPythonDoes(_ file: URL) throws {
        let upgraded = try Data(contentsOf: Vectors.galleries.appendingPathComponent(file.lastPathComponent))
        #expect(try Gallery(Data(contentsOf: file)).encode() == upgraded)
    }

    @Test(arguments: files) func contentIsWhatPythonSaysItIs(_ file: URL) throws {
        let expected = try Json.parse(Data(contentsOf: file.deletingPathExtension().appendingPathExtension("json")))
        let gallery = try Gallery(Data(contentsOf: file))
        #expect(expected["embedder"]?.text == gallery.embedder)
        let extensions = try #require(expected.get("extensions").members)
        #expect(extensions.count == gallery.extensions.count && extensions.allSatisfy { gallery.extensions[$0.key] == $0.value.text })
        let sections = try expected.get("sections").list()
        #expect(sections.count == gallery.sections.count)
        for (fields, section) in zip(sections, gallery.sections) {
            #expect(try fields.get("feature_space").string() == section.featureSpace)
            #expect(try fields.get("scale").int() == section.scale)
            #expect(try fields.get("lr_size").int() == section.lrSize)
            #expect(try fields.get("dtype").string() == (section.half ? "fp16" : "int8"))
            let maps = section.maps.map { map in
                Json.list([
                    .string(map.name), .whole(Int64(map.size)),
                    .list(map.parts.map { .list([.string($0.name), .whole(Int64($0.channels))]) }),
                ])
            }
            #expect(try fields.get("maps").list() == maps)
            #expect(try fields.get("codes").list() == section.codes.map { .list([.string($0.name), .whole(Int64($0.length))]) })
            #expect(fields["feature_scales"]?.members?.compactMap(\.value.double).map { Float($0) } == section.steps)
        }
        let entries = try expected.get("entries").list()
        #expect(entries.count == gallery.entries.count)
        for (i, entry) in gallery.entries.enumerated() {
            let fields = entries[i]
            #expect(try fields.get("photo_sha256").string() == entry.label.photoSha256)
            #expect(fields["name"]?.text == entry.label.name)
            for (key, measures) in [("quality", entry.label.quality), ("pose", entry.label.pose)] {
                for member in try #require(fields.get(key).members) {
                    #expect(try Label.thousandths(member.value.number()) == measures[member.key])
                }
            }
            for (which, held) in try fields.get("features").list().enumerated() {
                let hashes = held["stored_sha256"]?.items?.compactMap(\.text)
                #expect(hashes == entry.features[which]?.map { sha256(of: Data($0)) })
                guard hashes != nil else { continue }
                let floats = try gallery.floats(section: which, entry: i)
                let bytes = floats.map { one in one.withUnsafeBytes { Data($0) } }
                #expect(held["floats_sha256"]?.items?.compactMap(\.text) == bytes.map { sha256(of: $0) })
                #expect(try gallery.sections[which].pack(floats) == entry.features[which])
            }
        }
    }

    @Test func featuresAreRoundedAsPythonDoes() throws {
        let features = try Vectors.web.get("features")
        let parts = try features.get("parts").list().map { pair in
            let fields = try pair.list()
            return FeaturePart(name: try fields[0].string(), channels: try fields[1].int())
        }
        let values = try features.get("values").floats()
        for (name, steps) in [("int8", try features.get("steps").floats()), ("fp16", nil)] {
            let map = FeatureMap(name: "features", size: 4, parts: parts)
            let section = Section(featureSpace: "x", scale: 4, lrSize: 4, maps: [map], half: steps == nil, steps: steps)
            #expect(try section.pack([values]) == [features.get(name).bytes()])
            #expect(try section.pack(section.unpack(section.pack([values]))) == section.pack([values]))
            #expect(throws: GalleryError.self) { try section.pack([[.nan] + values.dropFirst()]) }
            #expect(throws: GalleryError.self) { try section.pack([Array(values.dropFirst())]) }
            #expect(throws: GalleryError.self) { try section.unpack([[1]]) }
        }
        #expect(try Label.thousandths(0.8125) == 812)
        for bad in [Double.nan, .infinity, 1e9] { #expect(throws: GalleryError.self) { try Label.thousandths(bad) } }
    }

    @Test func halvesAreExact() {
        for bits in UInt16.min...UInt16.max where bits >> 10 & 31 != 31 { #expect(Half.bits(Half.float(bits)) == bits) }
        #expect(Half.bits(1e9) == 0x7bff)
        #expect(Half.bits(1 + 1 / 2048) == 0x3c00)
        #expect(Half.bits(1 + 3 / 2048) == 0x3c02)
    }

    @Test func hashesAreThoseOfTheStandard() {
        #expect(sha256(of: Data()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(sha256(of: Data("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            sha256(of: Data(repeating: UInt8(ascii: "a"), count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func whatOtherNetworksAndProgramsKeepIsCarriedThroughAChange() throws {
        let gallery = try Self.named("two-networks")
        #expect(gallery.extensions == ["booth": "{\"theme\":\"dark\"}"])
        let first = gallery.entries[0]
        let label = Label(photoSha256: String(repeating: "e", count: 64), quality: [:], pose: [:])
        let features = try #require(first.features[0])
        let changed = gallery.adding(gallery.entry(section: 0, features: features, descriptor: first.descriptor, label: label))
        #expect(changed.entries.count == gallery.entries.count + 1)
        #expect(try Gallery(changed.encode()) == changed)
        #expect(changed.removing(label.photoSha256) == gallery)
        #expect(gallery.adding(first) == gallery)
        #expect(throws: GalleryError.self) { try changed.floats(section: 1, entry: gallery.entries.count) }
        #expect(throws: GalleryError.self) { try changed.floats(section: 7, entry: 0) }
    }

    @Test func whatIsNoGalleryIsNotWritten() throws {
        let gallery = try Self.named("example")
        let first = gallery.entries[0]
        func with(_ entry: Entry) -> Gallery { Gallery(sections: gallery.sections, entries: [entry]) }
        func labelled(_ hash: String, _ quality: [String: Int] = [:], _ name: String? = nil) -> Gallery {
            with(
                Entry(
                    features: first.features, descriptor: first.descriptor,
                    label: Label(photoSha256: hash, quality: quality, pose: [:], name: name)))
        }
        let good = String(repeating: "a", count: 64)
        #expect(throws: Never.self) { try labelled(good).encode() }
        for bad in [
            labelled("A"), labelled(good, ["Sharp": 1]), labelled(good, ["sharpness": Int.min]), labelled(good, [:], "two\nlines"),
            labelled(good, [:], ""), with(Entry(features: [], descriptor: first.descriptor, label: first.label)),
            with(Entry(features: [[[1]]], descriptor: first.descriptor, label: first.label)),
            with(Entry(features: first.features, descriptor: [.nan], label: first.label)),
            with(Entry(features: first.features, descriptor: first.descriptor, label: first.label, embedding: [1])),
            Gallery(sections: []), Gallery(sections: gallery.sections + gallery.sections),
            Gallery(sections: gallery.sections, extensions: ["no key": "x"]),
        ] { #expect(throws: GalleryError.self) { try bad.encode() } }
    }

    /// Files that Python reads afterwards (`ios_demo/tools/check.py`): built here, and by Python's own builder.
    @Test func whatIsWrittenHereIsForTheOthersToRead() throws {
        for precision in Vectors.precisions {
            let content = try Vectors.data("python-\(precision).gallery")
            let python = try Gallery(content)
            let manifest = try Manifest(Vectors.data("bundle-\(precision)/manifest.json"))
            var built = try Manifest(Vectors.data("bundle-int8/manifest.json")).emptyGallery
            if python.sections[0].steps == manifest.section.steps { built = manifest.emptyGallery }
            for (i, entry) in python.entries.enumerated() {
                let features = try built.sections[0].pack(python.floats(section: 0, entry: i))
                built = built.adding(built.entry(section: 0, features: features, descriptor: entry.descriptor, label: entry.label))
            }
            if built.sections == python.sections { #expect(try built.encode() == content) }
        }
        guard let folder = ProcessInfo.processInfo.environment["EDGESR_WRITTEN"] else { return }
        let strange = Label(
            photoSha256: String(repeating: "9", count: 64), quality: ["sharpness": -1, "a": 1_000_000_000], pose: ["z": 0, "yaw_deg": 7],
            name: "Zoë \u{1f600} e\u{301} \"quoted\" \\ 写真.jpg")
        for file in Self.files {
            let gallery = try Gallery(Data(contentsOf: file))
            let features: [Features?] = gallery.sections.map { section in
                section.tensors.map { [UInt8](repeating: 1, count: $0.tensor.bytes) }
            }
            let width = gallery.entries.first?.descriptor.count ?? Descriptor.size
            let embedding = gallery.embedder == nil ? nil : [Float](repeating: 0.25, count: gallery.entries.first?.embedding?.count ?? 4)
            let entry = Entry(features: features, descriptor: [Float](repeating: -0.5, count: width), label: strange, embedding: embedding)
            try GalleryFile(URL(fileURLWithPath: folder).appendingPathComponent(file.lastPathComponent)).write(gallery.adding(entry))
        }
    }
}

@Suite struct GalleryFileTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edgesr-\(UUID().uuidString)")

    @Test func replacedWholeAndErasedWithoutATrace() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let gallery = try GalleryTests.named("hime-small-x4-int8")
        let file = GalleryFile(folder.appendingPathComponent("me.gallery"))
        #expect(try file.read() == nil)
        let first = gallery.entries[0]
        let hash = String(repeating: "f", count: 64)
        let label = Label(photoSha256: hash, quality: [:], pose: [:])
        let more = gallery.adding(
            gallery.entry(section: 0, features: try #require(first.features[0]), descriptor: first.descriptor, label: label))
        try file.write(more)
        #expect(try file.read() == more)
        #expect(try Data(contentsOf: file.url).range(of: Data(hash.utf8)) != nil)
        let kept = folder.appendingPathComponent("kept")
        try FileManager.default.linkItem(at: file.url, to: kept)
        try file.write(gallery)
        #expect(try file.read() == gallery)
        #expect(try Data(contentsOf: file.url).range(of: Data(hash.utf8)) == nil)
        #expect(try Data(contentsOf: kept).allSatisfy { $0 == 0 }, "the old file's bytes are overwritten")
        let attributes = try FileManager.default.attributesOfItem(atPath: file.url.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["kept", "me.gallery"])
        try file.erase()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["kept"])
        try file.erase()
    }

    @Test func whatCannotBeWrittenOrReadIsSaid() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let gallery = try GalleryTests.named("example")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let blocked = folder.appendingPathComponent("file")
        try Data([1]).write(to: blocked)
        #expect(throws: GalleryError.self) { try GalleryFile(blocked.appendingPathComponent("me.gallery")).write(gallery) }
        #expect(throws: GalleryError.self) { try GalleryFile(blocked).read() }
        #expect(throws: GalleryError.self) { try GalleryFile(folder).read() }
        // A gallery that breaks the format leaves the file as it was.
        #expect(throws: GalleryError.self) { try GalleryFile(blocked).write(Gallery(sections: [])) }
        #expect(try Data(contentsOf: blocked) == Data([1]))
    }
}
