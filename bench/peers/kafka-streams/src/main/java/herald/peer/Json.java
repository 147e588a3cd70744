package herald.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** Reading of single values with Jackson's streaming parser; the parser stands on the value. */
final class Json {
  static final JsonFactory FACTORY = new JsonFactory();

  private Json() {}

  /** A string or null. */
  static String text(JsonParser parser, String field) throws IOException, Refused {
    return switch (parser.currentToken()) {
      case VALUE_STRING -> parser.getText();
      case VALUE_NULL -> null;
      default -> throw new Refused("wrong-shape: " + field + " is not a string");
    };
  }

  /** A string or an integer, which becomes its decimal text; an empty one is none. */
  static String id(JsonParser parser, String field) throws IOException, Refused {
    return switch (parser.currentToken()) {
      case VALUE_STRING, VALUE_NUMBER_INT -> parser.getTextLength() == 0 ? null : parser.getText();
      case VALUE_NULL -> null;
      default -> throw new Refused("wrong-shape: " + field + " is neither a string nor an integer");
    };
  }

  static void expectObject(JsonToken token, String what) throws Refused {
    if (token != JsonToken.START_OBJECT) {
      throw new Refused("wrong-shape: " + what + " is not an object");
    }
  }
}
