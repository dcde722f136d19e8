package io.edgesr.booth.ui

import android.app.Activity
import android.view.View
import android.widget.GridLayout
import io.edgesr.booth.R
import io.edgesr.core.Pixels
import io.edgesr.engine.PhotoDecoder

/** Faces to press, in rows; [press] gets the face's number and its tile. */
internal fun Activity.faceGrid(faces: List<Pixels>, name: (Int) -> String, press: (Int, View) -> Unit): GridLayout {
    val grid = GridLayout(this)
    grid.id = R.id.faces
    grid.columnCount = if (resources.configuration.screenWidthDp >= 600) 5 else 3
    fun place(view: View) {
        val place = GridLayout.LayoutParams(GridLayout.spec(GridLayout.UNDEFINED), GridLayout.spec(GridLayout.UNDEFINED, 1f))
        place.width = 0
        val space = dp(4)
        place.setMargins(space, space, space, space)
        grid.addView(view, place)
    }
    faces.forEachIndexed { i, face ->
        val tile = Tile(this, PhotoDecoder.toBitmap(face), smooth = true)
        tile.contentDescription = name(i)
        tile.isClickable = true
        tile.isFocusable = true
        tile.setOnClickListener { press(i, tile) }
        place(tile)
    }
    // Empty cells keep the others in their columns.
    repeat((grid.columnCount - faces.size % grid.columnCount) % grid.columnCount) { place(View(this)) }
    return grid
}
