using Npgsql;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>The PostgreSQL that the tests may use: <c>CHANNELBRIDGE_TEST_POSTGRES</c>. Each test has a schema of its own there.</summary>
internal static class PostgresServer
{
    /// <summary>The environment variable with the connection string, e.g. <c>Host=127.0.0.1;Username=postgres</c>.</summary>
    public const string Variable = "CHANNELBRIDGE_TEST_POSTGRES";

    /// <summary>The connection string.</summary>
    public static string Require() => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } connection
        ? connection
        : throw new InvalidOperationException($"{Variable} isn't set: no server to test with.");

    /// <summary>Runs a statement as the tests' user.</summary>
    public static async Task ExecuteAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(Require());
        await using var command = source.CreateCommand(sql);
        // Dropping a schema flushes each of its files; on a crowded disk that takes longer than Npgsql waits by itself.
        command.CommandTimeout = 300;
        await command.ExecuteNonQueryAsync();
    }
}
