package herald.peer;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Notification in, rows of its recipient's inbox changed; dead letters out. Which row stands is
 * decided as docs/formats.md says: of one identity the latest time, at equal times the undo.
 */
final class WriteInbox implements Processor<byte[], byte[], byte[], byte[]> {
  /** Rows that one record removes at most beside its own change. */
  private static final int TRIMMED_BY_RECORD_MAX = 64;

  private static final byte[] NOTHING = new byte[0];

  private final Counters counters;
  private final long itemsMax;
  private ProcessorContext<byte[], byte[]> context;
  private KeyValueStore<byte[], byte[]> items;
  private KeyValueStore<byte[], byte[]> identities;
  private KeyValueStore<byte[], byte[]> heads;

  // Of the record in hand.
  private byte[] prefix;
  private InboxRows.Head head;

  WriteInbox(Counters counters, long itemsMax) {
    this.counters = counters;
    this.itemsMax = itemsMax;
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> context) {
    this.context = context;
    items = context.getStateStore(InboxTopology.ITEMS);
    identities = context.getStateStore(InboxTopology.IDENTITIES);
    heads = context.getStateStore(InboxTopology.HEADS);
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    try {
      store(record.key(), Notification.read(record.key(), record.value()));
      counters.notificationsStored.increment();
    } catch (Refused refused) {
      counters.refused.increment();
      context.forward(
          DeadLetters.of(record, context.recordMetadata().orElseThrow(), refused.getMessage()));
    }
  }

  private void store(byte[] recipient, Notification notification) {
    prefix = InboxRows.prefix(recipient);
    InboxRows.Head before = InboxRows.Head.decode(heads.get(prefix));
    head = before;
    byte[] identityKey = InboxRows.identityKey(prefix, notification.identity());
    byte[] row = identities.get(identityKey);
    InboxRows.Identity known = row == null ? null : InboxRows.Identity.decode(row);
    if (notification.retracted()) {
      applyRetraction(notification, identityKey, known);
    } else {
      applyNotification(notification, identityKey, known);
    }
    if (!head.equals(before)) {
      heads.put(prefix, head.encode());
    }
  }

  private void applyNotification(
      Notification notification, byte[] identityKey, InboxRows.Identity known) {
    long timeMs = notification.timeMs();
    if (known == null || (!known.stands() && timeMs > known.decidedMs())) {
      addRow(notification, identityKey);
    } else if (known.stands() && timeMs > known.decidedMs()) {
      // A repeat of what stands; its content is kept for an undo from between the two.
      InboxRows.Identity later =
          new InboxRows.Identity(
              true, timeMs, known.itemMs(), known.itemArrival(), notification.json());
      identities.put(identityKey, later.encode());
    }
  }

  private void addRow(Notification notification, byte[] identityKey) {
    if (head.total() >= itemsMax && trim(notification.timeMs()) == 0) {
      return;
    }
    putRow(notification.identity(), identityKey, notification.timeMs(), notification.json());
  }

  private void putRow(byte[] identity, byte[] identityKey, long timeMs, byte[] json) {
    long arrival = head.version() + 1;
    items.put(InboxRows.itemKey(prefix, timeMs, arrival), InboxRows.Item.encode(identity, json));
    identities.put(
        identityKey, new InboxRows.Identity(true, timeMs, timeMs, arrival, NOTHING).encode());
    head = head.withItem(timeMs, arrival);
  }

  private void applyRetraction(
      Notification retraction, byte[] identityKey, InboxRows.Identity known) {
    long timeMs = retraction.timeMs();
    if (known == null || !known.stands()) {
      if (known == null || timeMs > known.decidedMs()) {
        identities.put(identityKey, InboxRows.Identity.undone(timeMs).encode());
      }
      return;
    }
    if (timeMs < known.itemMs()) {
      return;
    }
    removeItem(InboxRows.itemKey(prefix, known.itemMs(), known.itemArrival()));
    if (timeMs >= known.decidedMs()) {
      identities.put(identityKey, InboxRows.Identity.undone(timeMs).encode());
    } else {
      // The undo lies between the event and its repeat: the repeat is the row.
      putRow(retraction.identity(), identityKey, known.decidedMs(), known.laterJson());
    }
  }

  private void removeItem(byte[] itemKey) {
    byte[] row = items.delete(itemKey);
    head = head.withoutItem(row != null && InboxRows.Item.isRead(row));
  }

  /**
   * Makes room for an item of `newestMs`: the oldest rows go, unless they are newer than that.
   * Returns how many went. Starting at the oldest item's place, not at the end of the range, passes
   * over the remains of all the items that were trimmed before.
   */
  private int trim(long newestMs) {
    if (head.oldestMs() > newestMs) {
      return 0;
    }
    List<KeyValue<byte[], byte[]>> victims = new ArrayList<>();
    byte[] last = InboxRows.itemKey(prefix, head.oldestMs(), head.oldestArrival());
    try (KeyValueIterator<byte[], byte[]> oldest =
        items.reverseRange(InboxRows.firstItem(prefix), last)) {
      while (oldest.hasNext()) {
        KeyValue<byte[], byte[]> row = oldest.next();
        long timeMs = InboxRows.timeOf(row.key);
        head = head.withOldest(timeMs, InboxRows.arrivalOf(row.key));
        boolean goes = head.total() - victims.size() >= itemsMax && timeMs <= newestMs;
        if (!goes || victims.size() == TRIMMED_BY_RECORD_MAX) {
          break;
        }
        victims.add(row);
      }
    }
    for (KeyValue<byte[], byte[]> victim : victims) {
      byte[] identity = InboxRows.Item.identity(victim.value);
      removeItem(victim.key);
      identities.put(InboxRows.identityKey(prefix, identity), null);
    }
    return victims.size();
  }
}
