import Foundation
import Testing

@testable import BoothCore

@Suite struct EnhanceTests {
    @Test(arguments: Vectors.precisions) func aFaceComesOutOfAPhotoAndGoesBackAsInPython(_ precision: String) throws {
        let expected = try Vectors.all.get("restored-\(precision)")
        let photo = try Vectors.photo("small.jpg")
        let place = try Alignment(landmarks: expected.get("landmarks").points())
        let native = try expected.get("native").levels(width: place.wholeSide)
        let cropped = try Vectors.differences(Enhance.nativeCrop(photo, place), native)
        #expect(cropped.most <= 1)
        #expect(Double(cropped.count) / Double(native.rgb.count) < 0.001, "Python samples in float32")
        #expect(try Enhance.lrCrop(native, lrSize: 32) == expected.get("lr").levels(width: 32))
        let sr = try expected.get("sr").levels(width: 128)
        let detailed = Enhance.keepOwnDetail(sr, native: native, lrSize: 32)
        #expect(try Vectors.differences(detailed, expected.get("detailed").levels(width: 128)).most <= 1)
        let pasted = try expected.get("pasted").levels(width: photo.width)
        var got = photo
        Enhance.paste(sr, into: &got, place)
        #expect(Vectors.psnr(got, pasted) > 70)
        #expect(try Vectors.differences(got, pasted).most <= 1)
        #expect(got != photo)
    }

    @Test(arguments: Vectors.precisions) func aWholePhotoBecomesWhatPythonMakesOfIt(_ precision: String) throws {
        let expected = try Vectors.web.get("enhanced").get(precision)
        let photo = try Vectors.photo("small.jpg")
        let place = try Alignment(landmarks: expected.get("landmarks").points())
        let native = Enhance.nativeCrop(photo, place)
        #expect(Vectors.psnr(Enhance.lrCrop(native, lrSize: 32), try expected.get("lr").picture()) > 60)
        let face = Enhance.keepOwnDetail(try expected.get("sr").picture(), native: native, lrSize: 32)
        #expect(Vectors.psnr(face, try expected.get("detailed").picture()) > 60)
        let (factor, limited) = Regions.factor(faces: [(place.wholeSide, 128)], width: photo.width, height: photo.height)
        #expect(factor == (try expected.get("factor").int()) && !limited)
        var large = Bicubic.resize(photo, width: photo.width * factor, height: photo.height * factor)
        Enhance.paste(face, into: &large, place.scaled(Double(factor)))
        #expect(Vectors.psnr(large, try expected.get("photo").picture()) > 60)
    }

    @Test(arguments: Vectors.precisions) func ofAFacesOwnDetailAsMuchIsKeptAsIsNoNoise(_ precision: String) throws {
        let expected = try Vectors.web.get("enhanced").get(precision)
        let face = try expected.get("sr").picture()
        for one in [expected, try expected.get("noisy")] {
            let own = try one.get("native").picture()
            #expect(try abs(Enhance.signal(own, lrSize: 32) - (one.get("signal").number())) < 1e-6)
            let kept = Enhance.keepOwnDetail(face, native: own, lrSize: 32)
            let (most, count) = try Vectors.differences(kept, one.get("detailed").picture())
            #expect(most <= 1)
            #expect(count < 5)
        }
        #expect((0.001...0.999).contains(try expected.get("noisy").get("signal").number()))
        #expect(Enhance.keepOwnDetail(face, native: Enhance.lrCrop(face, lrSize: 32), lrSize: 32) == face)
        #expect(Enhance.signal(Pixels(width: 48, height: 48), lrSize: 32) == 0)
    }

    @Test(arguments: Vectors.precisions) func heatmapsHavePythonsColours(_ precision: String) throws {
        let expected = try Vectors.web.get("enhanced").get(precision)
        let face = try expected.get("sr").picture()
        let got = try Heatmap.over(face, weights: expected.get("weights").floats(), side: 32, count: 3)
        #expect(try Vectors.differences(got, expected.get("heatmap").picture()).most <= 1)
        #expect([Heatmap.jet(0), Heatmap.jet(0.5), Heatmap.jet(1)] == [[0, 0, 0.5], [0.5, 1, 0.5], [0.5, 0, 0]])
        #expect(throws: PictureError.self) { try Heatmap.over(face, weights: [1, 2], side: 32, count: 3) }
    }

    @Test func theMaskEndsBeforeTheSquareDoes() {
        for (u, v, shows) in [(0.0, 0.0, 1.0), (0.6, 0, 1), (1, 0, 0), (0.9, 0.9, 0)] { #expect(Enhance.feather(u, v) == shows) }
        #expect((0.01...0.99).contains(Enhance.feather(0.8, 0.1)))
    }

    @Test func strengthGoesFromThePhotoToTheFaceAndNothingOutsideChanges() throws {
        let expected = try Vectors.all.get("restored-\(try #require(Vectors.precisions.first))")
        let photo = try Vectors.photo("small.jpg")
        let place = try Alignment(landmarks: expected.get("landmarks").points())
        let sr = try expected.get("sr").levels(width: 128)
        let made = [0, 0.5, 1].map { strength in
            var result = photo
            Enhance.paste(sr, into: &result, place, strength: strength)
            return result
        }
        #expect(made[0] == photo)
        #expect(try Vectors.differences(made[1], Enhance.blend(under: photo, over: made[2], share: 0.5)).most <= 1)
        let reach = place.half.x.magnitude + place.half.y.magnitude + 1
        for i in photo.rgb.indices where made[2].rgb[i] != photo.rgb[i] {
            let (x, y) = (Double(i / 3 % photo.width) + 0.5, Double(i / 3 / photo.width) + 0.5)
            #expect((x - place.centre.x).magnitude <= reach && (y - place.centre.y).magnitude <= reach)
        }
        var far = photo
        Enhance.paste(sr, into: &far, Alignment(centre: Point(-5000, 1e6), half: Point(20, 3)))
        #expect(far == photo)
    }

    @Test func whichFacesGainAndHowLargeTheOutputIs() {
        #expect([19, 20, 32, 96, 97].map { Regions.gain(side: $0, lrSize: 32) } == [.tooSmall, .gains, .gains, .gains, .largeEnough])
        for (faces, width, height, factor, limited) in [
            ([], 100, 100, 1, false), ([(20, 128)], 100, 100, 4, false), ([(48, 128)], 100, 100, 2, false),
            ([(24, 128)], 4000, 3000, 2, true),
        ] as [([(side: Int, restored: Int)], Int, Int, Int, Bool)] {
            let got = Regions.factor(faces: faces, width: width, height: height)
            #expect(got.factor == factor && got.limited == limited)
        }
    }
}
