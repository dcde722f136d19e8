package io.edgesr.core

import java.math.BigDecimal
import java.math.BigInteger
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/**
 * JSON read with suspicion. Objects become [LinkedHashMap], lists [ArrayList], whole numbers [Long], others [Double].
 * A key twice, anything behind the value, and bytes that are not UTF-8 are errors ([IllegalArgumentException]).
 */
class Json private constructor(private val text: String, private val wholeOnly: Boolean) {
    private var at = 0

    private fun fail(what: String): Nothing = throw IllegalArgumentException("$what at character $at")

    private fun space() {
        while (at < text.length && text[at] in " \t\n\r") at++
    }

    private fun take(c: Char) {
        if (at >= text.length || text[at] != c) fail("no '$c'")
        at++
    }

    private fun value(depth: Int): Any? {
        if (depth > MOST_DEPTH) fail("too deep")
        space()
        if (at >= text.length) fail("nothing")
        val c = text[at]
        return when {
            c == '{' -> entries(depth)
            c == '[' -> list(depth)
            c == '"' -> string()
            c == '-' || c in '0'..'9' -> number()
            text.startsWith("true", at) -> true.also { at += 4 }
            text.startsWith("false", at) -> false.also { at += 5 }
            text.startsWith("null", at) -> null.also { at += 4 }
            else -> fail("no value")
        }
    }

    private fun entries(depth: Int): Map<String, Any?> {
        val result = LinkedHashMap<String, Any?>()
        take('{')
        space()
        if (at < text.length && text[at] == '}') return result.also { at++ }
        while (true) {
            space()
            val key = string()
            space()
            take(':')
            if (result.containsKey(key)) fail("a key stands twice")
            result[key] = value(depth + 1)
            space()
            if (at < text.length && text[at] == ',') at++ else break
        }
        take('}')
        return result
    }

    private fun list(depth: Int): List<Any?> {
        val result = ArrayList<Any?>()
        take('[')
        space()
        if (at < text.length && text[at] == ']') return result.also { at++ }
        while (true) {
            result += value(depth + 1)
            space()
            if (at < text.length && text[at] == ',') at++ else break
        }
        take(']')
        return result
    }

    private fun string(): String {
        take('"')
        val result = StringBuilder()
        while (true) {
            if (at >= text.length) fail("no end of a string")
            val c = text[at++]
            when {
                c == '"' -> return result.toString()
                c < ' ' -> fail("a control character")
                c != '\\' -> result.append(c)
                else -> result.append(escape())
            }
        }
    }

    private fun escape(): Char {
        if (at >= text.length) fail("no end of a string")
        return when (val c = text[at++]) {
            '"', '\\', '/' -> c
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> {
                val digits = if (at + 4 <= text.length) text.substring(at, at + 4) else ""
                if (!digits.all { it in '0'..'9' || it in 'a'..'f' || it in 'A'..'F' } || digits.isEmpty()) fail("no \\u")
                at += 4
                digits.toInt(16).toChar()
            }
            else -> fail("a strange escape")
        }
    }

    private fun number(): Any {
        val found = NUMBER.matchAt(text, at) ?: fail("no number")
        at += found.value.length
        if (found.groupValues[1].isEmpty()) {
            val whole = BigInteger(found.value)
            return if (whole.bitLength() < 64) whole.toLong() else if (wholeOnly) whole else whole.toDouble()
        }
        if (wholeOnly) fail("${found.value} is no whole number")
        return BigDecimal(found.value).toDouble()
    }

    companion object {
        private const val MOST_DEPTH = 100
        private val NUMBER = Regex("-?(?:0|[1-9][0-9]*)((?:\\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")

        /** The value that [bytes] hold in UTF-8; [wholeOnly] refuses every number with a fraction or an exponent. */
        fun parse(bytes: ByteArray, wholeOnly: Boolean = false): Any? {
            val text = try {
                Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT).decode(ByteBuffer.wrap(bytes)).toString()
            } catch (error: CharacterCodingException) {
                throw IllegalArgumentException("not UTF-8", error)
            }
            val json = Json(text, wholeOnly)
            val value = json.value(0)
            json.space()
            if (json.at != text.length) json.fail("something stands behind the value")
            return value
        }

        /** Without spaces; only the quotation mark, the backslash and control characters are escaped. */
        fun compact(value: Any?): String = StringBuilder().also { write(value, it) }.toString()

        private fun write(value: Any?, into: StringBuilder) {
            when (value) {
                is Map<*, *> -> value.entries.joinTo(into, ",", "{", "}") { "${compact(it.key.toString())}:${compact(it.value)}" }
                is List<*> -> value.joinTo(into, ",", "[", "]") { compact(it) }
                is String -> {
                    into.append('"')
                    for (c in value) {
                        if (c == '"' || c == '\\') into.append('\\')
                        if (c < ' ') into.append(String.format("\\u%04x", c.code)) else into.append(c)
                    }
                    into.append('"')
                }
                else -> into.append(value.toString())
            }
        }
    }
}
