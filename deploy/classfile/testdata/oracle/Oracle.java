import java.beans.Introspector;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.annotation.Annotation;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Modifier;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.zip.ZipFile;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Says which batch components a class path has by loading every class, as a JVM does, and asking it.
 *
 * <p>It answers requests from standard input, a line each with tabs between the words, until the input ends:
 * "compile" with the arguments of javac, and "scan" with a folder for unpacked files, the jars of the runtime,
 * "--" and the jars of the application. The last line of an answer is "end", or "failed".
 */
public class Oracle {
    static final String[][] ROLES = {
        {"Batchlet", "batchlet", ""}, {"chunk.ItemReader", "item-reader", ""},
        {"chunk.ItemProcessor", "item-processor", ""}, {"chunk.ItemWriter", "item-writer", ""},
        {"listener.JobListener", "listener", "job"}, {"listener.StepListener", "listener", "step"},
        {"chunk.listener.ChunkListener", "listener", "chunk"},
        {"chunk.listener.ItemReadListener", "listener", "item-read"},
        {"chunk.listener.ItemProcessListener", "listener", "item-process"},
        {"chunk.listener.ItemWriteListener", "listener", "item-write"},
        {"chunk.listener.SkipReadListener", "listener", "skip-read"},
        {"chunk.listener.SkipProcessListener", "listener", "skip-process"},
        {"chunk.listener.SkipWriteListener", "listener", "skip-write"},
        {"chunk.listener.RetryReadListener", "listener", "retry-read"},
        {"chunk.listener.RetryProcessListener", "listener", "retry-process"},
        {"chunk.listener.RetryWriteListener", "listener", "retry-write"},
        {"Decider", "decider", ""}, {"chunk.CheckpointAlgorithm", "checkpoint-algorithm", ""},
        {"partition.PartitionMapper", "partition-mapper", ""}, {"partition.PartitionReducer", "partition-reducer", ""},
        {"partition.PartitionCollector", "partition-collector", ""},
        {"partition.PartitionAnalyzer", "partition-analyzer", ""},
    };

    final Path work;
    final List<URL> path = new ArrayList<>();
    final TreeSet<String> names = new TreeSet<>();

    Oracle(Path work) {
        this.work = work;
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line; (line = in.readLine()) != null; ) {
            List<String> words = List.of(line.split("\t"));
            out.println(answer(words.get(0), words.subList(1, words.size()), out) ? "end" : "failed");
        }
    }

    static boolean answer(String request, List<String> args, PrintStream out) throws Exception {
        if (request.equals("scan")) {
            scan(args, out);
            return true;
        }
        JavaCompiler javac = ToolProvider.getSystemJavaCompiler();
        return javac.run(null, System.err, System.err, args.toArray(new String[0])) == 0;
    }

    static void scan(List<String> args, PrintStream out) throws Exception {
        Oracle oracle = new Oracle(Path.of(args.get(0)));
        int separator = args.indexOf("--");
        List<URL> runtime = new ArrayList<>();
        for (String jar : args.subList(1, separator)) {
            runtime.add(new File(jar).toURI().toURL());
        }
        for (String jar : args.subList(separator + 1, args.size())) {
            oracle.add(Path.of(jar));
        }
        try (URLClassLoader parent = new URLClassLoader(runtime.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
                URLClassLoader loader = new URLClassLoader(oracle.path.toArray(new URL[0]), parent)) {
            oracle.report(loader, out);
        }
        out.println("java " + Runtime.version().feature());
    }

    /** Puts a jar on the class path; of a fat jar or a war what a launcher or a container would. */
    void add(Path jar) throws IOException {
        List<Path> nested = new ArrayList<>();
        path.add(jar.toUri().toURL());
        try (JarFile file = new JarFile(jar.toFile(), false, ZipFile.OPEN_READ, JarFile.runtimeVersion())) {
            file.versionedStream().map(JarEntry::getName).forEach(this::name);
            Path classes = Files.createTempDirectory(work, "classes");
            for (JarEntry e : file.stream().toList()) {
                String in = e.getName().replaceFirst("^(BOOT|WEB)-INF/classes/", "");
                Path to = classes.resolve(in);
                if (e.getName().endsWith(".jar")) {
                    to = Files.createTempFile(work, "nested", ".jar");
                    nested.add(to);
                } else if (in.equals(e.getName()) || e.isDirectory()) {
                    continue;
                }
                Files.createDirectories(to.getParent());
                try (InputStream from = file.getInputStream(e)) {
                    Files.write(to, from.readAllBytes());
                }
                name(in);
            }
            path.add(classes.toUri().toURL());
        } catch (IOException e) {
            System.err.println(jar + ": " + e);
        }
        for (Path n : nested) {
            add(n);
        }
    }

    void name(String entry) {
        if (entry.endsWith(".class") && !entry.endsWith("-info.class")) {
            names.add(entry.substring(0, entry.length() - ".class".length()).replace('/', '.'));
        }
    }

    void report(ClassLoader loader, PrintStream out) throws Exception {
        Map<String, String> ids = ids(loader);
        int loaded = 0;
        for (String name : names) {
            if (name.matches("(java|javax|jakarta|sun|com\\.sun)\\..*")) {
                continue;
            }
            try {
                Class<?> c = Class.forName(name, false, loader);
                loaded++;
                if (c.getName().equals(name) && !c.isInterface() && !Modifier.isAbstract(c.getModifiers())) {
                    report(c, ids, out);
                }
            } catch (UnsupportedClassVersionError e) {
                out.println("unsupported " + name);
            } catch (ClassNotFoundException | LinkageError e) {
                // It cannot be loaded, so it is nothing.
            }
        }
        out.println("loaded " + loaded);
    }

    void report(Class<?> c, Map<String, String> ids, PrintStream out) {
        List<String> kinds = new ArrayList<>();
        List<String> listens = new ArrayList<>();
        String namespace = "";
        for (String[] role : ROLES) {
            for (String ns : new String[] {"javax", "jakarta"}) {
                if (is(c, ns + ".batch.api." + role[0])) {
                    namespace = namespace.equals("javax") ? "javax" : ns;
                    if (!kinds.contains(role[1])) {
                        kinds.add(role[1]);
                    }
                    if (!role[2].isEmpty()) {
                        listens.add("on:" + role[2]);
                    }
                }
            }
        }
        if (Throwable.class.isAssignableFrom(c)) {
            kinds.add("throwable");
        }
        if (kinds.isEmpty()) {
            return;
        }
        List<String> parts = new ArrayList<>(List.of(c.getName()));
        parts.addAll(kinds);
        parts.addAll(listens);
        parts.addAll(names(c, ids));
        if (!namespace.isEmpty()) {
            parts.add(namespace);
            parts.add(constructor(c));
        }
        out.println(String.join(" ", parts));
    }

    /** Asks the class's own loader, since there may be several interfaces of one name. */
    boolean is(Class<?> c, String name) {
        return found.computeIfAbsent(c.getClassLoader(), l -> new HashMap<>())
            .computeIfAbsent(name, n -> find(n, c.getClassLoader()))
            .filter(type -> type.isAssignableFrom(c)).isPresent();
    }

    /** What a loader found under a name, since a search through all jars that finds nothing is slow. */
    final Map<ClassLoader, Map<String, Optional<Class<?>>>> found = new HashMap<>();

    static Optional<Class<?>> find(String name, ClassLoader loader) {
        try {
            return Optional.of(Class.forName(name, false, loader));
        } catch (ClassNotFoundException e) {
            return Optional.empty();
        }
    }

    static List<String> names(Class<?> c, Map<String, String> ids) {
        List<String> ref = new ArrayList<>();
        List<String> aliases = new ArrayList<>();
        ids.forEach((id, name) -> {
            if (name.equals(c.getName())) {
                aliases.add("alias:" + id);
            }
        });
        for (Annotation a : c.getAnnotations()) {
            if (a.annotationType().getName().matches("(javax|jakarta)\\.inject\\.Named")) {
                String value = value(a);
                if (value.isEmpty()) {
                    aliases.add("alias:" + Introspector.decapitalize(c.getSimpleName()));
                } else if (!value.equals(c.getName())) {
                    ref.add("ref:" + value);
                }
            }
        }
        ref.addAll(aliases);
        return ref;
    }

    static String value(Annotation a) {
        try {
            return (String) a.annotationType().getMethod("value").invoke(a);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    static String constructor(Class<?> c) {
        try {
            MethodHandles.publicLookup().findConstructor(c, MethodType.methodType(void.class));
            return "public";
        } catch (ReflectiveOperationException e) {
            // There is none, or it is not public.
        }
        try {
            for (Constructor<?> one : c.getDeclaredConstructors()) {
                for (Annotation a : one.getAnnotations()) {
                    if (a.annotationType().getName().matches("(javax|jakarta)\\.inject\\.Inject")) {
                        return "inject";
                    }
                }
            }
        } catch (LinkageError e) {
            return "?"; // a parameter's class is missing
        }
        return "none";
    }

    static Map<String, String> ids(ClassLoader loader) throws Exception {
        Map<String, String> ids = new LinkedHashMap<>();
        try (InputStream in = loader.getResourceAsStream("META-INF/batch.xml")) {
            if (in == null) {
                return ids;
            }
            NodeList refs = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(in).getElementsByTagName("ref");
            for (int i = 0; i < refs.getLength(); i++) {
                Element ref = (Element) refs.item(i);
                ids.put(ref.getAttribute("id"), ref.getAttribute("class"));
            }
        }
        return ids;
    }
}
