package herald.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Reading of single values with Jackson's streaming parser; the parser stands on the value. */
final class Json {
  static final int ID_BYTES_MAX = 256;

  private static final int DEPTH_MAX = 256;
  private static final int UTF8_BYTES_PER_CHAR_MAX = 3;

  /** Writes an emoji as its four bytes of UTF-8; by default it would become twelve of escapes. */
  static final JsonFactory FACTORY =
      JsonFactory.builder()
          .enable(JsonWriteFeature.COMBINE_UNICODE_SURROGATES_IN_UTF8)
          .streamReadConstraints(
              StreamReadConstraints.builder().maxNestingDepth(DEPTH_MAX).build())
          .build();

  private Json() {}

  /** A string or null. */
  static String text(JsonParser parser, String field, int bytesMax) throws IOException, Refused {
    return switch (parser.currentToken()) {
      case VALUE_STRING -> checked(parser.getText(), field, bytesMax);
      case VALUE_NULL -> null;
      default -> throw new Refused("wrong-shape: " + field + " is not a string");
    };
  }

  /** A string or an integer, which becomes its decimal text; an empty one is none. */
  static String id(JsonParser parser, String field) throws IOException, Refused {
    return switch (parser.currentToken()) {
      case VALUE_STRING, VALUE_NUMBER_INT ->
          parser.getTextLength() == 0 ? null : checked(parser.getText(), field, ID_BYTES_MAX);
      case VALUE_NULL -> null;
      default -> throw new Refused("wrong-shape: " + field + " is neither a string nor an integer");
    };
  }

  static void expectObject(JsonToken token, String what) throws Refused {
    if (token != JsonToken.START_OBJECT) {
      throw new Refused("wrong-shape: " + what + " is not an object");
    }
  }

  private static String checked(String text, String field, int bytesMax) throws Refused {
    for (int i = 0; i < text.length(); i++) {
      if (!Character.isSurrogate(text.charAt(i))) {
        continue;
      }
      boolean isPair =
          i + 1 < text.length() && Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1));
      if (!isPair) {
        // It has no UTF-8, so nothing could be written of it.
        throw new Refused("not-json: half of a surrogate pair in " + field);
      }
      i++;
    }
    if (text.length() * UTF8_BYTES_PER_CHAR_MAX > bytesMax
        && text.getBytes(StandardCharsets.UTF_8).length > bytesMax) {
      throw new Refused("limit: " + field + " has more than " + bytesMax + " bytes");
    }
    return text;
  }
}
