using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>A PostgreSQL server of a test's own, to be killed.</summary>
internal sealed class PostgresProcess : IAsyncDisposable
{
    private readonly string _folder;
    private readonly int _port;
    private Process? _server;

    private readonly IReadOnlyDictionary<string, string> _environment;

    private PostgresProcess(string folder, int port, IReadOnlyDictionary<string, string> environment) => (_folder, _port, _environment) = (folder, port, environment);

    public string Connection => $"Host=127.0.0.1;Port={_port};Username=postgres;Database=postgres";

    /// <summary>Makes a cluster in a temporary folder, and starts it. PostgreSQL refuses to run as root, so root lends it the user postgres.</summary>
    public static async Task<PostgresProcess> StartAsync(IReadOnlyDictionary<string, string>? environment = null)
    {
        var folder = Scratch.NewFolder("cbpg");
        if (Environment.UserName == "root")
        {
            await RunAsync("chown", "postgres", folder);
            await RunAsync("chmod", "711", folder);
        }

        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        var server = new PostgresProcess(folder, port, environment ?? new Dictionary<string, string>());
        await RunAsync([.. As("initdb"), "-D", server.Data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        await server.LaunchAsync();
        return server;
    }

    /// <summary>kill −9 of the server and of every process that serves a connection: as if the machine had lost its power, but for the disk's cache.</summary>
    public async Task KillAsync()
    {
        var children = Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(name => int.TryParse(name, out _)).Where(name => IsChild(name!)).ToList();
        _server!.Kill();
        foreach (var child in children) await RunAsync("sh", "-c", $"kill -9 {child} 2>/dev/null || true");
        await _server.WaitForExitAsync();
        _server.Dispose();
        _server = null;
    }

    /// <summary>Starts the server again: it recovers from its log.</summary>
    public async Task LaunchAsync()
    {
        string[] command =
        [
            .. As("postgres"), "-D", Data, "-p", _port.ToString(CultureInfo.InvariantCulture),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "logging_collector=off",
        ];
        _server = Start(command);
        var deadline = DateTime.UtcNow + HostProcess.Timeout;
        while (true)
        {
            try
            {
                await Sql.ScalarAsync(Connection, "SELECT 1");
                return;
            }
            catch (Npgsql.NpgsqlException) when (DateTime.UtcNow < deadline && !_server.HasExited)
            {
                await Task.Delay(50);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private string Data => Path.Combine(_folder, "data");

    private bool IsChild(string pid)
    {
        try
        {
            // "pid (name) state parent …"
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1] == _server!.Id.ToString(CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string[] As(string program)
    {
        var path = Directory.GetDirectories("/usr/lib/postgresql").OrderBy(d => int.Parse(Path.GetFileName(d), CultureInfo.InvariantCulture)).Last() + "/bin/" + program;
        return Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", path] : [path];
    }

    private Process Start(params string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in _environment) start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static async Task RunAsync(params string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = "/", RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{command[0]} ended with {process.ExitCode}: {await output}{await errors}");
    }
}
