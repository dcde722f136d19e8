import Foundation
import Testing

@testable import BoothCore

/// A network that keeps two maps of different sizes and a code of an exemplar (`tests/toy_maps`).
@Suite struct MapsTests {
    let text: String
    let manifest: Manifest
    let gallery: Gallery

    init() throws {
        let data = Vectors.galleries.deletingLastPathComponent()
        text = String(decoding: try Data(contentsOf: data.appendingPathComponent("toy-maps/manifest.json")), as: UTF8.self)
        manifest = try Manifest(Data(text.utf8))
        gallery = try GalleryTests.named("toy-maps")
    }

    @Test func eachMapAndCodeIsATensorOfItsOwn() throws {
        #expect(manifest.kept == ["features_deep", "features_fine", "features_tone"])
        #expect(manifest.section.counts == [8 * 8 * 4, 16 * 16 * 5, 4])
        #expect(manifest.tensors(.restore, .inputs).map(\.name) == ["lr"] + manifest.kept + ["valid"])
        #expect(manifest.tensors(.encode, .outputs).map(\.count) == manifest.section.counts)
        #expect(try manifest.check(gallery) == 0)
        #expect(try manifest.check(manifest.emptyGallery) == 0)
    }

    @Test func slotsBehindTheExemplarsAreZeros() throws {
        let one = try gallery.floats(section: 0, entry: 1)
        let slots = manifest.slotted([one])
        #expect(slots.map(\.count) == manifest.section.counts.map { manifest.slots * $0 })
        for (values, kept) in zip(slots, one) {
            #expect(Array(values.prefix(kept.count)) == kept)
            #expect(values.dropFirst(kept.count).allSatisfy { $0 == 0 })
        }
    }

    @Test func aGalleryWithoutOneOrWithTheirSizesChangedAboutIsRefusedByName() throws {
        let ours = manifest.section, deep = ours.maps[0], fine = ours.maps[1]
        func refused(_ maps: [FeatureMap], _ codes: [Code], _ steps: [Float]?, _ says: String) {
            let other = Section(
                featureSpace: ours.featureSpace, scale: ours.scale, lrSize: ours.lrSize, maps: maps, codes: codes, half: ours.half,
                steps: steps)
            do {
                _ = try manifest.check(Gallery(sections: [other]))
                Issue.record("taken: \(says)")
            } catch {
                #expect("\(error)".contains("the gallery \(says)") && error is GalleryError, "\(error)")
            }
        }
        let swapped = [
            FeatureMap(name: deep.name, size: fine.size, parts: deep.parts),
            FeatureMap(name: fine.name, size: deep.size, parts: fine.parts),
        ]
        refused([deep], ours.codes, ours.steps, "has no fine of 16x16 pixels with detail 4 + gate 1 as the network toy-maps has")
        refused(swapped, ours.codes, ours.steps, "has deep of 16x16 pixels with deep 4, not of 8x8 pixels with deep 4")
        refused(ours.maps, [], ours.steps, "has no tone of 4 numbers")
        refused([fine, deep], ours.codes, ours.steps, "has fine, deep, tone, not deep, fine, tone")
        refused(ours.maps, ours.codes, ours.steps?.map { 2 * $0 }, "has other int8 steps")
        #expect(throws: GalleryError.self) { try manifest.check(GalleryTests.named("two-maps-and-a-code")) }
    }

    @Test func aManifestWhoseTensorsAreOthersThanItsMapsIsRefused() throws {
        for (old, new) in [
            ("\"name\": \"features_fine\"", "\"name\": \"features_other\""), ("\"channels\": 4", "\"channels\": 5"),
            ("\"codes\": [", "\"codes\": [[\"age\", 1],"), ("\"maps\": [", "\"maps\": [3,"),
        ] {
            try #require(text.contains(old))
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(throws: BundleError.self) { try Manifest(Data(changed.utf8)) }
        }
    }

    @Test func channelsAreBoundedMapByMapAsInAGallery() throws {
        var wide = text.filter { !$0.isWhitespace }
        for (old, new) in [
            ("[\"deep\",4]", "[\"deep\",600]"), ("[\"detail\",4]", "[\"detail\",600]"),
            ("\"deep\",\"channels\":4", "\"deep\",\"channels\":600"), ("\"detail\",\"channels\":4", "\"detail\",\"channels\":600"),
            ("4,8,8]", "600,8,8]"), ("5,16,16]", "601,16,16]"),
        ] {
            try #require(wide.contains(old))
            wide = wide.replacingOccurrences(of: old, with: new)
        }
        #expect(try Manifest(Data(wide.utf8)).section.maps.map(\.channels) == [600, 601])
    }
}
