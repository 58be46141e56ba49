using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Npgsql;

namespace ChannelBridge.Bench;

/// <summary>A PostgreSQL server of our own on loopback, with Debian's settings but for its folder and port; gone at the end.</summary>
internal sealed class PostgresInstance : IAsyncDisposable
{
    private readonly Process _server;
    private readonly string _folder;

    private PostgresInstance(Process server, string folder, int port)
    {
        _server = server;
        _folder = folder;
        Connection = $"Host=127.0.0.1;Port={port};Username=postgres";
    }

    /// <summary>The connection string without a database.</summary>
    public string Connection { get; }

    /// <summary>The folder of the newest server on this machine, or null.</summary>
    public static string? Programs => Directory.Exists("/usr/lib/postgresql")
        ? Directory.GetDirectories("/usr/lib/postgresql").OrderBy(folder => int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture))
        .Select(folder => Path.Combine(folder, "bin")).LastOrDefault()
        : null;

    public static async Task<PostgresInstance> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("cbbench-postgres").FullName;
        var port = Subject.FreePort();
        // It refuses to run as root.
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync("chown", "postgres", folder);
            await RunAsync("chmod", "711", folder);
        }

        using (var init = StartAsServer("initdb", "-D", Path.Combine(folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"))
        {
            await init.WaitForExitAsync();
            if (init.ExitCode != 0) throw new InvalidOperationException("initdb failed");
        }

        var server = StartAsServer(
            "postgres", "-D", Path.Combine(folder, "data"), "-p", port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1",
            "-c", "unix_socket_directories=");
        var instance = new PostgresInstance(server, folder, port);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = new NpgsqlConnection(instance.Connection + ";Database=postgres;Pooling=false");
                await connection.OpenAsync();
                return instance;
            }
            catch (NpgsqlException) when (attempt < 100 && !server.HasExited)
            {
                await Task.Delay(200);
            }
        }
    }

    /// <summary>Makes an empty database and gives its connection string.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"b{Guid.NewGuid():N}";
        await using var source = NpgsqlDataSource.Create(Connection + ";Database=postgres;Pooling=false");
        await using var command = source.CreateCommand($"CREATE DATABASE {name}");
        await command.ExecuteNonQueryAsync();
        return $"{Connection};Database={name}";
    }

    public async ValueTask DisposeAsync()
    {
        // Its own fast shutdown: clients are cut off, its other processes end with it.
        if (!_server.HasExited) await RunAsync("kill", "-INT", _server.Id.ToString(CultureInfo.InvariantCulture));
        await _server.WaitForExitAsync();
        _server.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static Process StartAsServer(string program, params string[] arguments)
    {
        string[] command = [Path.Combine(Programs!, program), .. arguments];
        if (Environment.IsPrivilegedProcess && !RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", .. command];
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        })!;
        _ = process.StandardOutput.ReadToEndAsync();
        _ = process.StandardError.ReadToEndAsync();
        return process;
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
    }
}
