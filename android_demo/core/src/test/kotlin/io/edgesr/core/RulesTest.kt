package io.edgesr.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

class RulesTest {
    @Test
    fun theRulesAreThoseThatPythonWroteDown() {
        val written = Json.parse(File(Vectors.root.parentFile, "spec/rules.json").readBytes()) as Map<*, *>
        assertTrue("${written.keys}", written.size >= 10)
        for ((group, fields) in written) {
            val ours = Class.forName("io.edgesr.core.Rules\$" + (group as String).replaceFirstChar { it.uppercase() })
            val named = ours.declaredFields.filter { it.name != "INSTANCE" }.onEach { it.isAccessible = true }
            assertEquals(group, (fields as Map<*, *>).keys, named.map { it.name.lowercase() }.toSet())
            for (field in named) assertEquals("$group ${field.name}", plain(fields[field.name.lowercase()]), plain(field.get(null)))
        }
    }

    /** Numbers as doubles, so that 4 and 4.0 are one; arrays as lists. */
    private fun plain(value: Any?): Any? = when (value) {
        is Number -> value.toDouble()
        is IntArray -> value.map { it.toDouble() }
        is DoubleArray -> value.toList()
        is List<*> -> value.map(::plain)
        else -> value
    }
}
