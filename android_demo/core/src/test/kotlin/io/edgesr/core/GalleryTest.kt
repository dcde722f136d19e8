package io.edgesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

class GalleryTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val files = Vectors.galleries.listFiles { f -> f.name.endsWith(".gallery") }!!.sorted()

    @Test
    fun pythonsFilesAreReadAndWrittenAgainByteForByte() {
        assertTrue("${files.size} files", files.size >= 7)
        for (file in files) assertArrayEquals(file.name, file.readBytes(), Gallery.decode(file.readBytes()).encode())
    }

    @Test
    fun filesOfVersion1AreReadAndUpgradedAsPythonDoes() {
        val old = File(Vectors.galleries, "v1").listFiles()!!
        assertTrue("${old.size} files", old.size >= 5)
        for (file in old) {
            val upgraded = File(Vectors.galleries, file.name).readBytes()
            assertArrayEquals(file.name, upgraded, Gallery.decode(file.readBytes()).encode())
        }
    }

    @Test
    fun contentIsWhatPythonSaysItIs() {
        for (file in files) {
            val expected = Json.parse(File(file.path.removeSuffix(".gallery") + ".json").readBytes()) as Map<*, *>
            val gallery = Gallery.decode(file.readBytes())
            assertEquals(expected["embedder"], gallery.embedder)
            assertEquals(expected["extensions"], gallery.extensions)
            val sections = (expected["sections"] as List<*>).map(Vectors::map)
            assertEquals(sections.size, gallery.sections.size)
            for ((fields, section) in sections.zip(gallery.sections)) {
                assertEquals(fields["feature_space"], section.featureSpace)
                assertEquals(fields["scale"], section.scale.toLong())
                assertEquals(fields["lr_size"], section.lrSize.toLong())
                assertEquals(fields["dtype"], if (section.half) "fp16" else "int8")
                val maps = section.maps.map { m -> listOf(m.name, m.size.toLong(), m.parts.map { listOf(it.first, it.second.toLong()) }) }
                assertEquals(fields["maps"], maps)
                assertEquals(fields["codes"], section.codes.map { listOf(it.name, it.length.toLong()) })
                val steps = (fields["feature_scales"] as Map<*, *>?)?.values?.map { (it as Number).toFloat() }
                assertEquals(steps, section.steps)
            }
            val entries = expected["entries"] as List<*>
            assertEquals(entries.size, gallery.entries.size)
            for ((fields, entry) in entries.map(Vectors::map).zip(gallery.entries)) {
                assertEquals(fields["photo_sha256"], entry.label.photoSha256)
                assertEquals(fields["name"], entry.label.name)
                for ((key, value) in Vectors.map(fields["quality"])) {
                    assertEquals(GalleryHeader.thousandths((value as Number).toDouble()), entry.label.quality[key])
                }
                val hashes = (fields["features"] as List<*>).map { (it as Map<*, *>?)?.get("stored_sha256") }
                assertEquals(hashes, entry.features.map { held -> held?.map { Manifest.sha256Of(java.nio.ByteBuffer.wrap(it)) } })
            }
        }
    }

    @Test
    fun everyMapAndCodeIsWhatPythonTakesItForAndIsStoredAgainAsItWas() {
        var codes = 0
        for (file in files) {
            val expected = Json.parse(File(file.path.removeSuffix(".gallery") + ".json").readBytes()) as Map<*, *>
            val gallery = Gallery.decode(file.readBytes())
            gallery.entries.zip(expected["entries"] as List<*>).forEachIndexed { row, (entry, said) ->
                gallery.sections.forEachIndexed { i, section ->
                    val stored = entry.features[i] ?: return@forEachIndexed
                    val floats = section.counts.mapIndexed { which, count -> FloatArray(count).also { gallery.floats(i, row, which, it, 0) } }
                    val hashes = floats.map { values ->
                        val bytes = java.nio.ByteBuffer.allocate(4 * values.size).order(java.nio.ByteOrder.LITTLE_ENDIAN)
                        values.forEach(bytes::putFloat)
                        Manifest.sha256Of(bytes)
                    }
                    assertEquals(Vectors.map((Vectors.map(said)["features"] as List<*>)[i])["floats_sha256"], hashes)
                    section.pack(floats).zip(stored).forEach { (again, bytes) -> assertArrayEquals("${file.name} $i", bytes, again) }
                    codes += section.codes.size
                }
            }
        }
        assertTrue("$codes codes", codes > 0)
    }

    /** Files that Python reads afterwards (`android_demo/tools/testing.py`): with an entry of our own in every section. */
    @Test
    fun whatIsWrittenHereIsForTheOthersToRead() {
        val written = File(Vectors.testdata, "written")
        written.deleteRecursively()
        assertTrue(written.mkdirs())
        val label = Label("9".repeat(64), mapOf("sharpness" to 812L), mapOf("yaw_deg" to -7L), "Zoë \u0301 \"quoted\" \\ 写真.jpg")
        for (file in files) {
            val gallery = Gallery.decode(file.readBytes())
            val features = gallery.sections.map { section ->
                section.pack(section.counts.map { count -> FloatArray(count) { kotlin.math.sin(it.toFloat()) } })
            }
            val width = gallery.entries.firstOrNull()?.descriptor?.size ?: Descriptor.SIZE
            val embedding = gallery.embedder?.let { FloatArray(gallery.entries.firstOrNull()?.embedding?.size ?: 4) { 0.25f } }
            val entry = Entry(features, FloatArray(width) { -0.5f }, label, embedding)
            GalleryFile(File(written, file.name)).write(gallery.adding(entry))
        }
    }

    @Test
    fun roundingIsThatOfTheFormat() {
        val gallery = Gallery.decode(File(Vectors.galleries, "example.gallery").readBytes())
        val features = FloatArray(32).also {
            it[0] = 0.25f
            it[1] = -0.375f
            it[2] = 0.75f
            it[3] = 100f
        }
        assertArrayEquals(gallery.entries[0].features[0]!!.single(), gallery.sections[0].pack(listOf(features)).single())
        assertEquals(812L, GalleryHeader.thousandths(0.8125))
        assertThrows(GalleryException::class.java) { gallery.sections[0].pack(listOf(features.also { it[5] = Float.NaN })) }
    }

    @Test
    fun halvesAreExact() {
        for (bits in 0 until 65536) {
            if (bits shr 10 and 31 == 31) continue
            assertEquals(bits, Half.fromFloat(Half.toFloat(bits)))
        }
        assertEquals(0x7bff, Half.fromFloat(1e9f))
        assertEquals(0x3c00, Half.fromFloat(1f + 1f / 2048)) // half way: to the even one
        assertEquals(0x3c02, Half.fromFloat(1f + 3f / 2048))
    }

    @Test
    fun everyCutAndEveryChangedByteIsRefused() {
        val random = java.util.Random(7)
        for (name in listOf("example", "two-maps-and-a-code", "two-networks")) {
            val content = File(Vectors.galleries, "$name.gallery").readBytes()
            for (length in content.indices) {
                assertThrows(GalleryException::class.java) { Gallery.decode(content.copyOf(length)) }
            }
            for (at in content.indices) {
                val damaged = content.clone().also { it[at] = (it[at].toInt() xor (1 + random.nextInt(255))).toByte() }
                assertThrows("$name $at", GalleryException::class.java) { Gallery.decode(damaged) }
            }
        }
    }

    @Test
    fun anOldFileThatIsDamagedIsRefusedOrReadWithoutAFault() {
        val content = File(Vectors.galleries, "v1/example.gallery").readBytes()
        for (at in content.indices) {
            val damaged = content.clone().also { it[at] = (it[at].toInt() xor 0x15).toByte() }
            runCatching { Gallery.decode(damaged) }.exceptionOrNull()?.let { assertTrue("$at: $it", it is GalleryException) }
        }
    }

    @Test
    fun whatOtherNetworksAndProgramsKeepIsCarriedThroughAChange() {
        val gallery = Gallery.decode(File(Vectors.galleries, "two-networks.gallery").readBytes())
        assertEquals(mapOf("booth" to "{\"theme\":\"dark\"}"), gallery.extensions)
        val first = gallery.entries[0]
        val features = first.features[1]!!
        val more = Gallery.decode(gallery.adding(gallery.entry(1, features, first.descriptor, first.label.copy(photoSha256 = "f".repeat(64)))).encode())
        assertEquals(gallery.extensions, more.extensions)
        assertNull(more.entries.last().features[0])
        assertEquals(listOf(0, 2, 3), more.choose(1, first.descriptor, 9).sorted())
        assertEquals(listOf(0, 1, 2), more.choose(0, first.descriptor, 9).sorted())
        assertArrayEquals(File(Vectors.galleries, "two-networks.gallery").readBytes(), more.with(more.entries.dropLast(1)).encode())
    }

    @Test
    fun whatTheFormatForbidsIsRefused() {
        val content = File(Vectors.galleries, "tiny-empty.gallery").readBytes()
        val size = java.nio.ByteBuffer.wrap(content).order(java.nio.ByteOrder.LITTLE_ENDIAN).getLong().toInt()
        val good = String(content.copyOfRange(8, 8 + size)).trimEnd()
        val tensors = content.copyOfRange(8 + size, content.size)
        fun file(text: String): ByteArray {
            val header = text.toByteArray().let { it + ByteArray((8 - it.size % 8) % 8) { ' '.code.toByte() } }
            val length = java.nio.ByteBuffer.allocate(8).order(java.nio.ByteOrder.LITTLE_ENDIAN).putLong(header.size.toLong()).array()
            val hash = Manifest.sha256Of(java.nio.ByteBuffer.wrap(length + GalleryHeader.withoutHash(header) + tensors))
            hash.toByteArray().copyInto(header, GalleryHeader.HASH_AT)
            return length + header + tensors
        }
        assertEquals(0, Gallery.decode(file(good)).entries.size) // so what is refused below is refused for its change
        fun refused(old: String, new: String) {
            assertTrue(old, old in good)
            assertThrows("$old -> $new", GalleryException::class.java) { Gallery.decode(file(good.replaceFirst(old, new))) }
        }
        refused("\"format_version\":\"2\"", "\"format_version\":\"3\"")
        refused("\"format_version\":\"2\"", "\"format_version\":\"1\"")
        refused("\"format\":\"edgesr-gallery\"", "\"format\":\"edgesr-thumbnail\"")
        refused("\"sections\":", "\"thumbnail\":\"x\",\"sections\":")
        refused("\"scale\\\":4", "\"scale\\\":3")
        refused("\"codes\\\":[]", "\"codes\\\":[[\\\"style\\\",4]]")
        refused("\"codes\\\":[]", "\"codes\\\":[],\\\"x\\\":1")
        refused("\"entries\":\"[]\"", "\"entries\":\"[]\",\"extensions\":\"{}\"")
        refused("\"entries\":\"[]\"", "\"entries\":\"[ ]\"")
        refused("{\"__metadata__\"", "{\"extra\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"__metadata__\"")
        refused("[0,0]", "[0.0,0]")
    }

    @Test
    fun addingTwiceChangesNothingAndRemovingLeavesNoTrace() {
        val gallery = Gallery.decode(File(Vectors.galleries, "hime-small-x4-int8.gallery").readBytes())
        val first = gallery.entries[0]
        assertEquals(gallery.entries.size, gallery.adding(first).entries.size)
        val file = GalleryFile(File(folder.root, "me.gallery"))
        assertNull(file.read())
        file.write(gallery.adding(gallery.entry(0, first.features[0]!!, first.descriptor, first.label.copy(photoSha256 = "f".repeat(64)))))
        assertEquals(gallery.entries.size + 1, file.read()!!.entries.size)
        file.write(gallery)
        assertFalse(String(file.file.readBytes(), Charsets.ISO_8859_1).contains("f".repeat(64)))
        assertEquals(listOf("me.gallery"), folder.root.list()!!.toList())
        file.erase()
        assertEquals(0, folder.root.list()!!.size)
    }

    @Test
    fun exemplarsAreThoseThatPythonChooses() {
        var count = 0
        for (set in Vectors.all["choices"] as List<*>) {
            val described = Vectors.map(set)
            fun floats(value: Any?) = Vectors.doubles(value).map { it.toFloat() }.toFloatArray()
            val everyone = (described["gallery"] as List<*>).map(::floats)
            val sharpness = Vectors.doubles(described["sharpness"]).toDoubleArray()
            for (query in (described["queries"] as List<*>).map(Vectors::map)) {
                val face = floats(query["query"])
                assertEquals(Vectors.doubles(query["chosen"]).map { it.toInt() }, Choice.choose(everyone, face, 5, sharpness))
                assertEquals(Vectors.doubles(query["without_sharpness"]).map { it.toInt() }, Choice.choose(everyone, face, 5))
                count++
            }
        }
        assertTrue(count >= 6)
    }
}
