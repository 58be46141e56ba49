using Npgsql;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>Statements of a test's own.</summary>
internal static class Sql
{
    public static async Task<object?> ScalarAsync(string connection, string sql)
    {
        await using var own = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connection) { Pooling = false }.ConnectionString);
        await own.OpenAsync();
        await using var command = new NpgsqlCommand(sql, own);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>Runs a statement if the server is there.</summary>
    public static async Task TryAsync(string connection, string sql)
    {
        try
        {
            await ScalarAsync(connection, sql);
        }
        catch (NpgsqlException)
        {
            // The server of the test is gone already, and its data with it.
        }
    }
}
