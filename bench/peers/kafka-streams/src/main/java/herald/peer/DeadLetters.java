package herald.peer;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Dead letters leave a stage beside its results; a header tells them apart. */
final class DeadLetters {
  static final String REASON = "reason";

  private DeadLetters() {}

  static Record<byte[], byte[]> of(
      Record<byte[], byte[]> record, RecordMetadata source, String reason) {
    RecordHeaders headers = new RecordHeaders();
    headers.add(REASON, reason.getBytes(StandardCharsets.UTF_8));
    headers.add("topic", source.topic().getBytes(StandardCharsets.UTF_8));
    headers.add("partition", bytes(source.partition()));
    headers.add("offset", bytes(source.offset()));
    return new Record<>(record.key(), record.value(), record.timestamp(), headers);
  }

  private static byte[] bytes(long number) {
    return Long.toString(number).getBytes(StandardCharsets.UTF_8);
  }
}
