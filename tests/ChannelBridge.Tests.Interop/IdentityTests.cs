using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Identity;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>Keys and signatures between us, Node's crypto and PyNaCl (Debian's python3-nacl), in both directions.</summary>
public sealed class IdentityTests
{
    private const string Message = "juji-ws-v1|agent|1767225600";
    private const string Passphrase = "open sesame";

    [Fact]
    public async Task Node_ReadsOurKeys_AndWeReadItsOwn()
    {
        using var key = IdentityKey.Create();
        foreach (var (name, pem) in new[] { ("plain", key.ToPem()), ("encrypted", key.ToPem(Passphrase)) })
        {
            var answer = await RunAsync(OpenClawInstallation.Node, "identity.mjs", new JsonObject
            {
                ["privateKey"] = pem,
                ["passphrase"] = Passphrase,
                ["publicKey"] = key.ToVerifier().ToPem(),
                ["message"] = Message,
                ["signature"] = Convert.ToBase64String(key.Sign(Encoding.UTF8.GetBytes(Message))),
            });
            Assert.True((bool)answer["verified"]!, name);
            Assert.Equal((string?)answer["signatureByOurKey"], Convert.ToBase64String(key.Sign(Encoding.UTF8.GetBytes(Message))));
            AssertTheirs(answer, IdentityKey.FromPem((string)answer["privateKey"]!));
            AssertTheirs(answer, IdentityKey.FromPem((string)answer["encryptedKey"]!, Passphrase));
        }
    }

    [Fact]
    public async Task PyNaCl_ReadsOurKeys_AndWeReadItsOwn()
    {
        using var key = IdentityKey.Create();
        var answer = await RunAsync("/usr/bin/python3", "identity.py", new JsonObject
        {
            ["seed"] = Convert.ToBase64String(key.ExportSeed()),
            ["publicKey"] = Convert.ToBase64String(key.PublicKey.Span),
            ["message"] = Message,
            ["signature"] = Convert.ToBase64String(key.Sign(Encoding.UTF8.GetBytes(Message))),
        });

        Assert.True((bool)answer["verified"]!);
        Assert.Equal((string?)answer["signatureByOurKey"], Convert.ToBase64String(key.Sign(Encoding.UTF8.GetBytes(Message))));
        AssertTheirs(answer, IdentityKey.FromSeed(Convert.FromBase64String((string)answer["seed"]!)));
    }

    private static void AssertTheirs(JsonObject answer, IdentityKey theirs)
    {
        using (theirs)
        {
            var raw = Convert.FromBase64String((string)answer["publicKey"]!);
            Assert.Equal(raw, theirs.PublicKey.ToArray());
            Assert.True(IdentityVerifier.Create(raw).Verify(Encoding.UTF8.GetBytes(Message), Convert.FromBase64String((string)answer["signature"]!)));
        }
    }

    private static async Task<JsonObject> RunAsync(string program, string script, JsonObject question)
    {
        var path = Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop", "clients", script);
        var start = new ProcessStartInfo(program, [path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(question.ToJsonString());
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(2));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        Assert.True(process.ExitCode == 0, await errors);
        return JsonNode.Parse(output)!.AsObject();
    }
}
