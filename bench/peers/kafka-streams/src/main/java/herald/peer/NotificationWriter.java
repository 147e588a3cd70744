package herald.peer;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HexFormat;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Writes the JSON of topic notifications, with Herald's fields in Herald's order. One thread. */
final class NotificationWriter {
  private static final HexFormat HEX = HexFormat.of();

  private final ByteArrayOutputStream out = new ByteArrayOutputStream(1024);

  byte[] write(
      Event event,
      byte[] identity,
      String recipient,
      User actor,
      String message,
      RecordMetadata source) {
    out.reset();
    try (JsonGenerator json = Json.FACTORY.createGenerator(out)) {
      json.writeStartObject();
      json.writeNumberField("v", 1);
      json.writeStringField("id", HEX.formatHex(identity) + '-' + event.timeMs());
      json.writeStringField("type", event.type().kind().text);
      if (event.type().isUndo()) {
        json.writeBooleanField("retracted", true);
      }
      json.writeStringField("recipient", recipient);
      json.writeObjectFieldStart("actor");
      json.writeStringField("id", event.actor());
      json.writeStringField("name", actor.name());
      json.writeStringField("handle", actor.handle());
      json.writeStringField("avatar_url", actor.avatarUrl());
      json.writeEndObject();
      if (event.object() == null) {
        json.writeNullField("object");
      } else {
        json.writeObjectFieldStart("object");
        json.writeStringField("type", event.object().type());
        json.writeStringField("id", event.object().id());
        json.writeStringField("title", event.object().title());
        json.writeEndObject();
      }
      json.writeStringField("text", event.text());
      json.writeStringField("message", message);
      json.writeStringField("time", IsoTime.format(event.timeMs()));
      json.writeObjectFieldStart("source");
      json.writeStringField("topic", source.topic());
      json.writeNumberField("partition", source.partition());
      json.writeNumberField("offset", source.offset());
      json.writeEndObject();
      json.writeEndObject();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return out.toByteArray();
  }
}
