package herald.peer;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/** Raw event in, one notification for each recipient out, keyed by recipient; or a dead letter. */
final class RouteToRecipients implements Processor<byte[], byte[], byte[], byte[]> {
  private final Counters counters;
  private final FieldHash hash = new FieldHash();
  private final NotificationWriter writer = new NotificationWriter();
  private ProcessorContext<byte[], byte[]> context;
  private TimestampedKeyValueStore<String, byte[]> users;

  RouteToRecipients(Counters counters) {
    this.counters = counters;
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> context) {
    this.context = context;
    users = context.getStateStore(InboxTopology.USERS);
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    counters.events.increment();
    RecordMetadata source = context.recordMetadata().orElseThrow();
    try {
      route(record, EventReader.read(record.value(), record.timestamp()), source);
    } catch (Refused refused) {
      counters.refused.increment();
      context.forward(DeadLetters.of(record, source, refused.getMessage()));
    }
  }

  private void route(Record<byte[], byte[]> record, Event event, RecordMetadata source) {
    List<String> targets = event.targets();
    if (targets.size() == 1) {
      if (!event.actor().equals(targets.get(0)) || event.type().kind().deliveredToActor()) {
        tell(record, event, source, targets);
      }
      return;
    }
    Set<String> recipients = new LinkedHashSet<>(targets);
    if (!event.type().kind().deliveredToActor()) {
      recipients.remove(event.actor());
    }
    tell(record, event, source, recipients);
  }

  private void tell(
      Record<byte[], byte[]> record,
      Event event,
      RecordMetadata source,
      Iterable<String> recipients) {
    User actor = actorOf(event);
    String message = event.type().kind().message(actor.name(), event);
    startIdentity(record, event, source);
    int mark = hash.mark();
    for (String recipient : recipients) {
      byte[] key = recipient.getBytes(StandardCharsets.UTF_8);
      hash.rewind(mark);
      hash.add(key);
      byte[] value = writer.write(event, hash.finish(), recipient, actor, message, source);
      counters.notifications.increment();
      context.forward(new Record<>(key, value, record.timestamp()));
    }
  }

  private User actorOf(Event event) {
    ValueAndTimestamp<byte[]> found = users.get(event.actor());
    if (found == null) {
      counters.unknownActors.increment();
      return User.UNKNOWN;
    }
    return User.read(found.value());
  }

  private void startIdentity(
      Record<byte[], byte[]> record, Event event, RecordMetadata source) {
    Kind kind = event.type().kind();
    String objectId = event.object() == null ? null : event.object().id();
    boolean byEvent = kind == Kind.MESSAGE || (kind == Kind.MENTION && objectId == null);
    // Before anything else is hashed: an event without an id gets one by the same hash.
    String eventId = byEvent ? eventId(record, event, source) : null;
    hash.rewind(0);
    hash.add(kind.text);
    hash.add(event.actor());
    if (kind != Kind.FOLLOW) {
      hash.add(byEvent ? "event" : "object");
      hash.add(byEvent ? eventId : objectId == null ? "" : objectId);
    }
  }

  /** Of the event, or of the one that it takes back. */
  private String eventId(Record<byte[], byte[]> record, Event event, RecordMetadata source) {
    if (event.type().isUndo() && event.undoOf() != null) {
      return event.undoOf();
    }
    return event.id() != null ? event.id() : recordId(record, source);
  }

  private String recordId(Record<byte[], byte[]> record, RecordMetadata source) {
    hash.rewind(0);
    hash.add(source.topic());
    hash.add(Integer.toString(source.partition()));
    hash.add(Long.toString(source.offset()));
    hash.add(Long.toString(record.timestamp()));
    hash.add(record.value());
    return "h-" + HexFormat.of().formatHex(hash.finish());
  }
}
