using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ChannelBridge.Tests.Integration.Hosts;

namespace ChannelBridge.Tests.Integration;

/// <summary>Addresses of their own, host names, and tokens that are changed while the host runs.</summary>
public sealed class AddressAndAccessTests
{
    [Fact]
    public async Task An_address_of_its_own_has_nothing_of_the_host_whatever_the_client_says()
    {
        await using var host = await HostProcess.StartAsync(environment: Own("http://127.0.0.1:0"));
        var own = OwnUrl(host);
        using var http = new HttpClient { Timeout = HostProcess.Timeout };
        Assert.Equal(200, await StatusAsync(http, own, "/healthz", null));
        foreach (var path in new[] { "/", "/ws", "/rpc", "/readyz", "/v1/models", "/v1/responses", "/healthz/../v1/models", "/%76%31/models" })
        {
            Assert.Equal(404, await StatusAsync(http, own, path, host.Token));
            Assert.Equal(404, await StatusAsync(http, own, path, host.Token, host.Url.Authority));
        }

        Assert.Equal(200, await StatusAsync(http, host.Url, "/v1/models", host.Token));
        Assert.Equal(200, await StatusAsync(http, host.Url, "/v1/models", host.Token, own.Authority));
    }

    [Fact]
    public async Task A_loopback_address_answers_to_loopback_names_and_those_that_are_allowed()
    {
        await using var host = await HostProcess.StartAsync(environment: new Dictionary<string, string> { ["CHANNELBRIDGE__LISTEN__ALLOWEDHOSTS"] = "bridge.example.org" });
        using var http = new HttpClient { Timeout = HostProcess.Timeout };
        foreach (var (name, status) in new[] { ("localhost", 200), ("127.0.0.1:1", 200), ("[::1]", 200), ("BRIDGE.example.org:443", 200),
            ("rebound.example", 421), ("127.0.0.1.evil.example", 421) })
            Assert.Equal(status, await StatusAsync(http, host.Url, "/healthz", null, name));
    }

    [Fact]
    public async Task A_renewed_certificate_is_taken_without_a_restart()
    {
        var folder = HostProcess.NewDataFolder();
        Directory.CreateDirectory(folder);
        var (file, key) = (Path.Combine(folder, "tls.crt"), Path.Combine(folder, "tls.key"));
        var first = WriteCertificate(file, key);
        var settings = Own("https://127.0.0.1:0");
        settings["CHANNELBRIDGE__LISTEN__ADDRESSES__PARTNERS__CERTIFICATEFILE"] = file;
        settings["CHANNELBRIDGE__LISTEN__ADDRESSES__PARTNERS__KEYFILE"] = key;
        await using var host = await HostProcess.StartAsync(environment: settings);
        var own = OwnUrl(host);
        Assert.Equal(first, await ThumbprintAsync(own));
        await File.WriteAllTextAsync(file, "no certificate");
        Assert.Equal(first, await ThumbprintAsync(own));
        var second = WriteCertificate(file, key);
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (await ThumbprintAsync(own) != second) await Task.Delay(100, timeout.Token);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_token_is_made_rotated_and_revoked_by_commands_and_its_connection_ends()
    {
        await using var host = await HostProcess.StartAsync();
        var made = await HostProcess.RunAsync(["tokens", "add", "shop", "--scope", "operator.read", "--data", host.Data]);
        Assert.True(made.ExitCode == 0, made.Errors);
        using var socket = await OpenAsync(host, made.Output.Trim());
        var peer = await HostProcess.RunAsync(["tokens", "add", "partner", "--scope", "peer", "--channel", "a2a", "--data", host.Data]);
        await Assert.ThrowsAsync<WebSocketException>(() => OpenAsync(host, peer.Output.Trim()));
        using var http = new HttpClient { Timeout = HostProcess.Timeout };
        Assert.Equal(403, await StatusAsync(http, host.Url, "/v1/models", peer.Output.Trim()));
        var list = await HostProcess.RunAsync(["tokens", "list", "--data", host.Data]);
        Assert.Contains("shop  (store)  operator.read", list.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(made.Output.Trim(), list.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await HostProcess.RunAsync(["tokens", "revoke", "shop", "--data", host.Data])).ExitCode);
        await EndedAsync(socket);
        var audit = await HostProcess.RunAsync(["tokens", "audit", "--data", host.Data]);
        foreach (var word in new[] { "made", "revoked", "shop", "refused" }) Assert.Contains(word, audit.Output, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_token_that_one_host_revokes_ends_its_connection_on_the_other()
    {
        var schema = $"t{Guid.NewGuid():N}";
        var settings = new Dictionary<string, string> { ["CHANNELBRIDGE__STORE__SCHEMA"] = schema };
        await using var one = await HostProcess.StartAsync(arguments: ["--store", ServerFactAttribute.Server], environment: settings);
        await using var two = await HostProcess.StartAsync(arguments: ["--store", ServerFactAttribute.Server], environment: settings);
        var made = await HostProcess.RunAsync(["tokens", "add", "shop", "--scope", "operator.read", "--data", one.Data]);
        Assert.True(made.ExitCode == 0, made.Errors);
        ClientWebSocket? socket = null;
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (socket is null)
        {
            try
            {
                socket = await OpenAsync(two, made.Output.Trim());
            }
            catch (WebSocketException)
            {
                await Task.Delay(50, timeout.Token);
            }
        }

        Assert.Equal(0, (await HostProcess.RunAsync(["tokens", "revoke", "shop", "--data", one.Data])).ExitCode);
        await EndedAsync(socket);
        socket.Dispose();
        await one.StopAsync();
        await two.StopAsync();
        await Sql.TryAsync(ServerFactAttribute.Server, $"DROP SCHEMA IF EXISTS {schema} CASCADE");
    }

    private static Dictionary<string, string> Own(string url) => new()
    {
        ["CHANNELBRIDGE__LISTEN__ADDRESSES__PARTNERS__URL"] = url,
        ["CHANNELBRIDGE__LISTEN__ADDRESSES__PARTNERS__CHANNELS"] = "a2a",
    };

    private static Uri OwnUrl(HostProcess host) =>
        new(host.Output.Split('\n').First(line => line.Contains("only endpoints of", StringComparison.Ordinal)).Split(' ')[1]);

    private static async Task<int> StatusAsync(HttpClient http, Uri url, string path, string? token, string? name = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(url, path));
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (name is not null) request.Headers.Host = name;
        using var answer = await http.SendAsync(request);
        return (int)answer.StatusCode;
    }

    private static string WriteCertificate(string file, string key)
    {
        using var algorithm = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=localhost", algorithm, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(key, algorithm.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(file, certificate.ExportCertificatePem());
        return certificate.Thumbprint;
    }

    private static async Task<string> ThumbprintAsync(Uri url)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, url.Port);
        // Whose it is, is what the test asks.
#pragma warning disable CA5359
        await using var stream = new SslStream(client.GetStream(), false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await stream.AuthenticateAsClientAsync("localhost");
        return ((X509Certificate2)stream.RemoteCertificate!).Thumbprint;
    }

    private static async Task<ClientWebSocket> OpenAsync(HostProcess host, string token)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await socket.ConnectAsync(new Uri(host.WebSocketUrl, "/rpc"), timeout.Token);
        return socket;
    }

    private static async Task EndedAsync(ClientWebSocket socket)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while ((await socket.ReceiveAsync(new byte[1024], timeout.Token)).MessageType != WebSocketMessageType.Close)
        {
            // What was sent before.
        }

        Assert.Equal("access revoked", socket.CloseStatusDescription);
    }
}
