namespace ChannelBridge.Bench;

/// <summary>A web server of a row, in its own process: it says that it is ready, and runs until it is ended.</summary>
internal static class WebServer
{
    /// <summary>Begins one on loopback that logs nothing.</summary>
    public static WebApplicationBuilder New(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        return builder;
    }

    /// <summary>Runs it.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(WebApplication app)
    {
        app.Lifetime.ApplicationStarted.Register(() => Console.WriteLine("ready"));
        await app.RunAsync();
        return 0;
    }
}
