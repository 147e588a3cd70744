package herald.peer;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.errors.InvalidStateStoreException;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/** The inboxes over HTTP, from this process's stores; what lies on another instance is 503. */
final class InboxServer implements AutoCloseable {
  private static final String INBOXES = "/inboxes/";
  private static final int LIMIT_DEFAULT = 20;
  private static final int LIMIT_MAX = 100;
  private static final int BACKLOG = 1024;

  private final KafkaStreams streams;
  private final Counters counters;
  private final int partitions;
  private final HttpServer server;
  private final ExecutorService threads;

  InboxServer(KafkaStreams streams, Counters counters, int partitions, Flags flags)
      throws IOException {
    this.streams = streams;
    this.counters = counters;
    this.partitions = partitions;
    int colon = flags.listen().lastIndexOf(':');
    String host = flags.listen().substring(0, Math.max(colon, 0));
    int port = Integer.parseInt(flags.listen().substring(colon + 1));
    server = HttpServer.create(new InetSocketAddress(host, port), BACKLOG);
    threads = Executors.newFixedThreadPool(flags.httpThreads());
    server.setExecutor(threads);
    server.createContext(INBOXES, this::inbox);
    server.createContext("/ready", this::ready);
    server.createContext("/metrics-ish", e -> answer(e, 200, counters.toJson()));
    server.start();
  }

  String address() {
    InetSocketAddress address = server.getAddress();
    return address.getAddress().getHostAddress() + ":" + address.getPort();
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdown();
  }

  private void ready(HttpExchange exchange) throws IOException {
    boolean running = streams.state() == KafkaStreams.State.RUNNING;
    answer(exchange, running ? 200 : 503, "{\"state\":\"" + streams.state() + "\"}");
  }

  private void inbox(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getRawPath().substring(INBOXES.length());
    // A plus stands for itself in a path.
    String user = URLDecoder.decode(path.replace("+", "%2B"), StandardCharsets.UTF_8);
    int limit = limitOf(exchange.getRequestURI().getRawQuery());
    if (user.isEmpty() || limit < 1) {
      answer(exchange, 400, "{\"error\":\"not /inboxes/USER?limit=1.." + LIMIT_MAX + "\"}");
      return;
    }
    byte[] recipient = user.getBytes(StandardCharsets.UTF_8);
    try {
      send(exchange, 200, render(recipient, limit));
    } catch (InvalidStateStoreException error) {
      answer(exchange, 503, "{\"error\":\"this inbox is not here at the moment\"}");
    }
  }

  private ByteArrayOutputStream render(byte[] recipient, int limit) {
    // As the producers' partitioner does, so that one store is asked and not all.
    int partition = Utils.toPositive(Utils.murmur2(recipient)) % partitions;
    byte[] prefix = InboxRows.prefix(recipient);
    ByteArrayOutputStream body = new ByteArrayOutputStream(8192);
    body.writeBytes("{\"items\":[".getBytes(StandardCharsets.UTF_8));
    int count = 0;
    try (KeyValueIterator<byte[], byte[]> rows =
        store(InboxTopology.ITEMS, partition)
            .range(InboxRows.firstItem(prefix), InboxRows.lastItem(prefix))) {
      for (; count < limit && rows.hasNext(); count++) {
        if (count > 0) {
          body.write(',');
        }
        InboxRows.appendServed(body, rows.next().value);
      }
    }
    InboxRows.Head head =
        InboxRows.Head.decode(store(InboxTopology.HEADS, partition).get(prefix));
    body.writeBytes(
        ("],\"total\":" + head.total() + ",\"unread\":" + head.unread()
            + ",\"version\":" + head.version() + "}").getBytes(StandardCharsets.UTF_8));
    return body;
  }

  private ReadOnlyKeyValueStore<byte[], byte[]> store(String name, int partition) {
    return streams.store(
        StoreQueryParameters.fromNameAndType(
                name, QueryableStoreTypes.<byte[], byte[]>keyValueStore())
            .withPartition(partition));
  }

  /** -1 when it is none. */
  private static int limitOf(String query) {
    if (query == null) {
      return LIMIT_DEFAULT;
    }
    for (String part : query.split("&")) {
      if (part.startsWith("limit=")) {
        try {
          int limit = Integer.parseInt(part.substring("limit=".length()));
          return limit >= 1 && limit <= LIMIT_MAX ? limit : -1;
        } catch (NumberFormatException error) {
          return -1;
        }
      }
    }
    return LIMIT_DEFAULT;
  }

  private static void answer(HttpExchange exchange, int code, String body) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(body.getBytes(StandardCharsets.UTF_8));
    send(exchange, code, bytes);
  }

  private static void send(HttpExchange exchange, int code, ByteArrayOutputStream body)
      throws IOException {
    try (exchange) {
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(code, body.size());
      body.writeTo(exchange.getResponseBody());
    }
  }
}
