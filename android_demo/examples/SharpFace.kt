import io.edgesr.core.GalleryFile
import io.edgesr.core.Pixels
import io.edgesr.engine.FaceRestorer
import io.edgesr.engine.FolderSource
import java.awt.image.BufferedImage
import java.io.File
import javax.imageio.ImageIO

/** SharpFace MODELS GALLERY PORTRAIT PHOTO FACE.png: learns from a portrait where there is no gallery yet. */
fun main(arguments: Array<String>) {
    val (models, mine, portrait, photo, output) = arguments.map(::File)
    FaceRestorer.open(FolderSource(File(models, "int8")), FolderSource(File(models, "detector"))).use { restorer ->
        val gallery = GalleryFile(mine).read()
            ?: restorer.learn(portrait.readBytes(), decoded(portrait), restorer.emptyGallery()).also(GalleryFile(mine)::write)
        val tiny = decoded(photo)
        val face = restorer.faces(tiny).firstOrNull() ?: error("no face in $photo")
        val sharp = restorer.restore(tiny, face, gallery).after
        val image = BufferedImage(sharp.width, sharp.height, BufferedImage.TYPE_INT_RGB)
        image.setRGB(0, 0, sharp.width, sharp.height, sharp.toArgb(), 0, sharp.width)
        ImageIO.write(image, "png", output)
    }
}

private fun decoded(file: File): Pixels = ImageIO.read(file).let {
    Pixels.fromArgb(it.width, it.height, it.getRGB(0, 0, it.width, it.height, null, 0, it.width))
}
