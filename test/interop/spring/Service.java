package muster.interop;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.netflix.discovery.EurekaClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.cloud.netflix.eureka.EurekaServiceInstance;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.http.client.SimpleClientHttpRequestFactory;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;

/**
 * A service whose author uses Spring Cloud's Eureka client as its guide shows: the starter, properties, a DiscoveryClient, a
 * load-balanced RestTemplate. Its one argument is a JSON object: me, log, port, calls, every, init (its properties).
 *
 * <p>It is the counterpart of service.py: what it serves, calls and sees goes to the log as JSON lines, commands come as JSON lines
 * on the standard input and are answered by a line in the log with the same number.
 */
@SpringBootApplication
@RestController
public class Service {
	@JsonIgnoreProperties(ignoreUnknown = true)
	record Config(String me, String log, int port, List<String> calls, double every, Map<String, Object> init) {}

	private static final ObjectMapper json = new ObjectMapper();

	private final Config config;
	private final DiscoveryClient discovery;
	private final EurekaClient eureka;
	private final RestTemplate http;
	private volatile boolean quiet;
	private Thread caller;

	public static void main(String[] args) throws IOException {
		Config config = json.readValue(args[0], Config.class);
		new SpringApplicationBuilder(Service.class)
			.initializers(context -> ((GenericApplicationContext) context).registerBean(Config.class, () -> config))
			.run(config.init().entrySet().stream().map(each -> "--" + each.getKey() + "=" + each.getValue()).toArray(String[]::new));
	}

	Service(Config config, DiscoveryClient discovery, EurekaClient eureka, RestTemplate http) {
		this.config = config;
		this.discovery = discovery;
		this.eureka = eureka;
		this.http = http;
	}

	@Bean
	@LoadBalanced
	static RestTemplate http() {
		var factory = new SimpleClientHttpRequestFactory();
		factory.setConnectTimeout(5000);
		factory.setReadTimeout(5000);
		return new RestTemplate(factory);
	}

	@GetMapping("/work")
	Map<String, Object> get(@RequestParam("id") String id) {
		log("request", Map.of("id", id, "method", "GET"));
		return Map.of("instance", config.me(), "id", id);
	}

	@PostMapping("/work")
	Map<String, Object> post(@RequestParam("id") String id, @RequestBody JsonNode body) {
		log("request", Map.of("id", id, "method", "POST"));
		return Map.of("instance", config.me(), "id", id, "body", body);
	}

	@EventListener
	void ready(ApplicationReadyEvent event) {
		background(this::look);
		background(this::obey);
		log("ready", Map.of());
	}

	/** What DiscoveryClient says, and which status the server keeps for this instance. */
	private void look() {
		while (true) {
			var view = new HashMap<String, Map<String, Object>>();
			for (String service : discovery.getServices()) {
				var instances = new HashMap<String, Object>();
				for (ServiceInstance each : discovery.getInstances(service)) {
					var info = ((EurekaServiceInstance) each).getInstanceInfo();
					instances.put(info.getInstanceId(), Map.of(
						"status", info.getStatus().name(),
						"zone", each.getMetadata().getOrDefault("zone", ""),
						"metadata", each.getMetadata()));
				}
				view.put(service.toUpperCase(Locale.ROOT), instances);
			}
			log("view", Map.of("view", view, "status", eureka.getInstanceRemoteStatus().name()));
			sleep(0.1);
		}
	}

	private void callForEver() {
		for (int number = 0; !quiet; ) {
			for (String service : config.calls()) {
				String id = config.me() + "/RestTemplate/" + ++number;
				var call = new HashMap<String, Object>(Map.of("id", id, "service", service, "via", "RestTemplate", "began", now()));
				try {
					call.put("instance", http.getForObject("http://" + service + "/work?id={id}", JsonNode.class, id).get("instance").asText());
				} catch (RuntimeException e) { // whatever it is, it counts
					call.put("error", e.toString());
				}
				log("call", call);
				sleep(config.every());
			}
		}
	}

	private void obey() {
		try {
			var commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
			for (String line; (line = commands.readLine()) != null; ) {
				JsonNode command = json.readTree(line);
				String error = "";
				switch (command.get("do").asText()) {
					case "call" -> caller = background(this::callForEver);
					case "quiet" -> {
						quiet = true;
						caller.join();
					}
					default -> error = "this service cannot do that";
				}
				log("did", Map.of("number", command.get("number").asInt(), "error", error));
			}
		} catch (IOException | InterruptedException e) {
			throw new IllegalStateException(e);
		}
	}

	/** One write a line: the file is whole even after kill -9. */
	private void log(String event, Map<String, Object> fields) {
		var line = new LinkedHashMap<String, Object>(Map.of("event", event, "at", now()));
		line.putAll(fields);
		try {
			Files.writeString(Path.of(config.log()), json.writeValueAsString(line) + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
		} catch (IOException e) {
			throw new UncheckedIOException(e);
		}
	}

	private static Thread background(Runnable work) {
		var thread = new Thread(work);
		thread.setDaemon(true);
		thread.start();
		return thread;
	}

	private static double now() {
		return ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()) / 1e6;
	}

	private static void sleep(double seconds) {
		try {
			Thread.sleep((long) (seconds * 1000));
		} catch (InterruptedException e) {
			throw new IllegalStateException(e);
		}
	}
}
